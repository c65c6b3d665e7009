import { randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { type Connection, connect } from '../../src/storage/connection.ts'
import { startEmbedded } from '../../src/storage/embedded.ts'
import type { ParleyProcess } from '../support/parley-process.ts'

/** A look into the database of a server under test, beside the server. */
export type OwnDatabase = {
  readonly sql: Sql
  close(): Promise<void>
}

/** Where a server under test stores: in a database made for it on the given server, or in its embedded one. */
export class Databases {
  readonly #url: string | undefined
  readonly #made: string[] = []

  /** @param url a Postgres server's; undefined: the embedded one */
  constructor(url: string | undefined) {
    this.#url = url
  }

  /** What a server's environment needs to use a new database. */
  async env(): Promise<Readonly<Record<string, string>>> {
    if (this.#url === undefined) return {}
    const name = `parley_fault_${randomBytes(6).toString('hex')}`
    await this.#admin((sql) => sql.unsafe(`create database ${name}`))
    this.#made.push(name)
    return { DATABASE_URL: this.#urlOf(name) }
  }

  /** Connects to what the running `server` stores in, which was started with this of `env`. */
  async open(server: ParleyProcess, env: Readonly<Record<string, string>>): Promise<OwnDatabase> {
    const { DATABASE_URL: url } = env
    if (url !== undefined) return opened({ url }, async () => {})
    const embedded = await startEmbedded({ dataDir: server.path('parley'), log: () => {}, env: process.env })
    return opened(embedded.connection, () => embedded.stop())
  }

  /** Removes the databases that were made. */
  async drop(): Promise<void> {
    for (const name of this.#made.splice(0))
      await this.#admin((sql) => sql.unsafe(`drop database if exists ${name} with (force)`))
  }

  #urlOf(name: string): string {
    const url = new URL(this.#url ?? '')
    url.pathname = `/${name}`
    return url.href
  }

  async #admin(work: (sql: Sql) => Promise<unknown>): Promise<void> {
    const sql = connect({ url: this.#url ?? '' }, { max: 1 })
    try {
      await sql`set statement_timeout = 0`
      await work(sql)
    } finally {
      await sql.end()
    }
  }
}

function opened(connection: Connection, stop: () => Promise<void>): OwnDatabase {
  const sql = connect(connection, { max: 1 })
  return {
    sql,
    close: async () => {
      await sql.end()
      await stop()
    },
  }
}
