import { createHash, randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { inject } from 'vitest'
import { type Connection, connect } from '../../src/storage/connection.ts'
import { startEmbedded } from '../../src/storage/embedded.ts'
import { migrate, readSteps } from '../../src/storage/migrate.ts'
import { findService } from './services.ts'

export type TestDatabase = {
  readonly connection: Connection
  /** Runs SQL on it, on a connection of its own. */
  readonly sql: Sql
  drop(): Promise<void>
}

/** Key of the advisory lock under which one worker makes the template. */
const TEMPLATE_LOCK = 4711

/** Named after what is in it: a server that outlives the run (PARLEY_TEST_DATABASE_URL) never has an old one. */
export function templateName(): string {
  const text = readSteps()
    .map((step) => step.text)
    .join('\n')
  return `parley_template_${createHash('sha256').update(text).digest('hex').slice(0, 12)}`
}

/** The run's server: the given one, or an embedded one that the first worker that needs it starts and the others adopt. */
export async function testServer(): Promise<Connection> {
  const url = findService('postgres')
  if (url !== undefined) return { url }
  return (await startEmbedded({ dataDir: inject('postgresDataDir'), log: () => {} })).connection
}

export function withDatabase(server: Connection, database: string): Connection {
  if (!('url' in server)) return { ...server, database }
  const url = new URL(server.url)
  url.pathname = `/${database}`
  return { url: url.href }
}

/** A database of one test file's own: migrated, or empty. Drop it when the file is done. */
export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const server = await testServer()
  const name = `parley_test_${randomBytes(6).toString('hex')}`
  await asAdmin(server, async (admin) => {
    if (migrated) await ensureTemplate(admin, server)
    await admin.unsafe(`create database ${name} template ${migrated ? templateName() : 'template0'}`)
  })
  const connection = withDatabase(server, name)
  const sql = connect(connection, { max: 1 })
  const drop = async () => {
    await sql.end()
    await asAdmin(server, (admin) => admin.unsafe(`drop database if exists ${name} with (force)`))
  }
  return { connection, sql, drop }
}

async function asAdmin(server: Connection, work: (admin: Sql) => Promise<unknown>): Promise<void> {
  const admin = connect(server, { max: 1 })
  try {
    await admin`set statement_timeout = 0`
    await work(admin)
  } finally {
    await admin.end()
  }
}

async function ensureTemplate(admin: Sql, server: Connection): Promise<void> {
  const name = templateName()
  await admin`select pg_advisory_lock(${TEMPLATE_LOCK}::bigint)`
  const [found] = await admin`select from pg_database where datname = ${name}`
  if (!found) {
    // Renamed when it is whole: a worker that is killed leaves no half template.
    const draft = `${name}_${randomBytes(3).toString('hex')}`
    await admin.unsafe(`create database ${draft}`)
    await migrate(withDatabase(server, draft))
    await admin.unsafe(`alter database ${draft} rename to ${name}`)
  }
  await admin`select pg_advisory_unlock(${TEMPLATE_LOCK}::bigint)`
}
