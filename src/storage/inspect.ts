import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from 'postgres'
import type { Telemetry } from '../ports/telemetry.ts'
import { type Connection, connectOnce, discard, reach } from './connection.ts'
import { INVARIANTS, type Invariant } from './invariants.ts'
import { newerSchema, readSteps, readVersion } from './migrate.ts'
import { choosePlace, type StorageOptions } from './open.ts'
import { alive } from './session-queries.ts'

/** What does not hold, how often, and where: the first characters of ids, never what people wrote. */
export type Broken = {
  readonly name: string
  readonly found: string
  readonly count: number
  /** At most MAX_EXAMPLES. `item`: a run; of a key its id. */
  readonly examples: readonly { readonly session?: string; readonly item?: string }[]
}

export type Inspection = {
  /** Which store: a line for people. */
  readonly description: string
  readonly version: number
  readonly rows: Readonly<Record<'sessions' | 'runs' | 'messages' | 'apps' | 'keys', number>>
  /** What is mended when its session is next opened: no fault. */
  readonly waiting: { readonly deadRuns: number; readonly queues: number; readonly statuses: number }
  /** How many invariants were looked at. */
  readonly checked: number
  readonly broken: readonly Broken[]
}

/** Enough to find a pattern, few enough to read. */
const MAX_EXAMPLES = 5
/** Characters of an id, as in log lines. */
const ID_CHARS = 8

/**
 * Reads the store that the configuration names in one snapshot and changes nothing: neither the schema nor a row. A server may
 * run on it. Rejects with a message for people, and as `stopped` does when that comes first.
 */
export async function inspectStorage(
  options: StorageOptions,
  telemetry: Telemetry,
  stopped: Promise<never> = new Promise(() => undefined),
): Promise<Inspection> {
  if (options.databaseUrl === undefined && !existsSync(join(options.dataDir, 'postgres', 'PG_VERSION')))
    throw new Error(`There is no database in ${options.dataDir}`)
  const place = await choosePlace(options, telemetry)
  try {
    return { description: place.description, ...(await Promise.race([inspect(place.connection), stopped])) }
  } finally {
    await place.stop()
  }
}

/** As `inspectStorage`, of one database. */
export async function inspect(connection: Connection): Promise<Omit<Inspection, 'description'>> {
  const sql = connectOnce(connection)
  try {
    await reach(sql)
    await sql`begin isolation level repeatable read read only`
    // Everything is read, for as long as it takes; the pools' settings are for short probes.
    await sql`set local statement_timeout = 0`
    await sql`set local enable_seqscan = on`
    const version = await checkedVersion(sql)
    const broken: Broken[] = []
    for (const invariant of INVARIANTS) broken.push(...(await look(sql, invariant)))
    return { version, rows: await countRows(sql), waiting: await countWaiting(sql), checked: INVARIANTS.length, broken }
  } finally {
    await discard(sql)
  }
}

async function checkedVersion(sql: Sql): Promise<number> {
  const [version, known] = [await readVersion(sql), readSteps().at(-1)?.version ?? 0]
  if (version === 0) throw new Error('The database has no tables of Parley')
  if (version > known) throw newerSchema(version, known)
  if (version === known) return version
  throw new Error(`The database has schema version ${version}, this release checks ${known}: run parley migrate first`)
}

type Row = { readonly total: number; readonly session: string | null; readonly item: string | null }

async function look(sql: Sql, { name, found, broken }: Invariant): Promise<Broken[]> {
  const rows = await sql<Row[]>`
    select count(*) over ()::integer as total, left(session::text, ${ID_CHARS}) as session, left(item, ${ID_CHARS}) as item
    from (${broken(sql)}) broken (session, item) order by 2, 3 limit ${MAX_EXAMPLES}`
  const examples = rows.map(({ session, item }) => {
    return { ...(session === null ? {} : { session }), ...(item === null ? {} : { item }) }
  })
  return rows.slice(0, 1).map(({ total }) => ({ name, found, count: total, examples }))
}

async function countRows(sql: Sql): Promise<Inspection['rows']> {
  const [row] = await sql<Inspection['rows'][]>`
    select (select count(*)::integer from sessions) as sessions, (select count(*)::integer from runs) as runs,
      (select count(*)::integer from messages) as messages, (select count(*)::integer from apps) as apps,
      (select count(*)::integer from keys) as keys`
  return row ?? { sessions: 0, runs: 0, messages: 0, apps: 0, keys: 0 }
}

async function countWaiting(sql: Sql): Promise<Inspection['waiting']> {
  const [row] = await sql<{ dead: number; queues: number; statuses: number }[]>`
    with ${alive(sql)}, running as (select session_id, node from runs where status = 'running')
    select (select count(*)::integer from running where node not in (select node from alive)) as dead,
      (select count(distinct session_id)::integer from runs
        where status = 'queued' and session_id not in (select session_id from running)) as queues,
      (select count(*)::integer from sessions s where s.status = 'processing' and not exists (
        select from runs r where r.session_id = s.id and r.status in ('queued', 'running')
      )) as statuses`
  return { deadRuns: row?.dead ?? 0, queues: row?.queues ?? 0, statuses: row?.statuses ?? 0 }
}
