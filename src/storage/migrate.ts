import { readdirSync, readFileSync } from 'node:fs'
import type { Sql } from 'postgres'
import type { Telemetry } from '../ports/telemetry.ts'
import { allOrNone, type Connection, connectOnce, discard, reach } from './connection.ts'
import { requireOwnSession } from './own-session.ts'

/** Beside this file both in src/storage and in the bundled dist. */
const DIRECTORY = new URL('./migrations/', import.meta.url)
const FILE = /^(\d{4})\.sql$/
/** Key of the advisory lock under which one process migrates; any number that nothing else takes. */
const LOCK = 7_061_726_505
/** The only one that holds whatever people and models write. */
const ENCODING = 'UTF8'

type Step = { readonly version: number; readonly text: string }
export type Migration = { readonly from: number; readonly to: number }
type Tell = Telemetry['log']

/**
 * Brings the schema to this release's version. Processes that start at the same time do it once. Rejects, and changes
 * nothing, when the database is newer; a step that fails leaves the version before it.
 * @param tell hears what may take its time: each step of a database that is in use, and the wait for another process
 */
export async function migrate(
  connection: Connection,
  steps: readonly Step[] = readSteps(),
  tell: Tell = () => undefined,
): Promise<Migration> {
  const sql = connectOnce(connection)
  try {
    await reach(sql)
    await requireEncoding(sql)
    if ('url' in connection) await requireOwnSession(connection, sql)
    // A step may build an index over everything; and the lock is held for as long as another process migrates.
    await sql`set statement_timeout = 0`
    await sql`set lock_timeout = 0`
    await takeTurn(sql, tell)
    return await apply(sql, steps, tell)
  } finally {
    await discard(sql)
  }
}

/**
 * In another than UTF8 an answer with a character that it lacks cannot be saved, and SQL_ASCII counts bytes where tails of messages are
 * placed by characters. Rejects with a message for people.
 */
async function requireEncoding(sql: Sql): Promise<void> {
  const [row] = await sql<{ encoding: string }[]>`select current_setting('server_encoding') as encoding`
  const encoding = row?.encoding
  if (encoding === ENCODING) return
  throw new Error(
    `The database has the encoding ${encoding}, in which not every character can be saved: make one in ${ENCODING} (createdb --template=template0 --encoding=${ENCODING})`,
  )
}

/** The steps of this release, oldest first. */
export function readSteps(): readonly Step[] {
  return readdirSync(DIRECTORY)
    .sort()
    .flatMap((name) => {
      const version = FILE.exec(name)?.[1]
      return version === undefined
        ? []
        : [{ version: Number(version), text: readFileSync(new URL(name, DIRECTORY), 'utf8') }]
    })
}

/** For people. */
export function newerSchema(found: number, known: number): Error {
  return new Error(
    `The database has schema version ${found}, this release knows ${known}: run a newer Parley, or restore a backup`,
  )
}

async function takeTurn(sql: Sql, tell: Tell): Promise<void> {
  const [row] = await sql<{ taken: boolean }[]>`select pg_try_advisory_lock(${LOCK}::bigint) as taken`
  if (row?.taken) return
  tell('info', 'schema waits')
  await sql`select pg_advisory_lock(${LOCK}::bigint)`
}

async function apply(sql: Sql, steps: readonly Step[], tell: Tell): Promise<Migration> {
  const from = await readVersion(sql)
  const latest = steps.at(-1)?.version ?? 0
  if (from > latest) throw newerSchema(from, latest)
  for (const { version, text } of steps) {
    if (version <= from) continue
    // A new database has them all in a moment.
    if (from > 0) tell('info', 'schema step', { version, latest })
    await allOrNone(sql, async () => {
      await sql.unsafe(text)
      await sql`delete from schema_version`
      await sql`insert into schema_version (version) values (${version})`
    })
  }
  return { from, to: latest }
}

/** The schema's version; 0 where there is none. */
export async function readVersion(sql: Sql): Promise<number> {
  const [table] = await sql<{ there: boolean }[]>`select to_regclass('schema_version') is not null as there`
  if (!table?.there) return 0
  const [row] = await sql<{ version: number | null }[]>`select max(version) as version from schema_version`
  return row?.version ?? 0
}
