import { join } from 'node:path'
import postgres, { type PendingQuery, type Sql } from 'postgres'
import { ParleyError } from '../protocol/errors.ts'
import { StoreFault, toFault, toStoreError } from './faults.ts'
import { Gate } from './gate.ts'
import type { UseHealth } from './health.ts'

/** A server by its address, or by the directory of its unix socket. */
export type Connection =
  | { readonly url: string }
  | { readonly socketDir: string; readonly port: number; readonly user: string; readonly database: string }

export type Patience = {
  /** Milliseconds that the server works on a statement of ours. They take tens; this long, one waits for what does not come. */
  readonly statementMs: number
  /** Milliseconds without any answer, longer than `statementMs`: the server is paused, or the network is gone. */
  readonly answerMs: number
  /** Milliseconds to connect. A server that is there answers in a few; across a continent, in a hundred. */
  readonly connectMs: number
}

export const PATIENCE: Patience = { statementMs: 4000, answerMs: 5000, connectMs: 3000 }

const MS_PER_SECOND = 1000
/** Seconds between attempts to connect; short, so that the store is used again soon after it is back. */
const RECONNECT_MIN_S = 0.05
const RECONNECT_MAX_S = 0.5

type Extra = {
  readonly max: number
  readonly patience?: Patience
  readonly onclose?: () => void
  readonly onnotify?: (channel: string, payload: string) => void
  readonly keepForever?: boolean
}

/** A driver's pool; connects at the first query. */
export function connect(connection: Connection, extra: Extra): Sql {
  const { statementMs, connectMs } = extra.patience ?? PATIENCE
  const options = {
    max: extra.max,
    connect_timeout: connectMs / MS_PER_SECOND,
    backoff: (attempt: number) => Math.min(RECONNECT_MIN_S * 2 ** attempt, RECONNECT_MAX_S),
    // Saves a query per connection; arrays travel as JSON.
    fetch_types: false,
    onnotice: () => {},
    onclose: extra.onclose,
    // Not among the driver's documented options, and what its own `listen` uses.
    onnotify: extra.onnotify,
    ...(extra.keepForever ? { max_lifetime: null } : {}),
    connection: {
      application_name: 'parley',
      statement_timeout: statementMs,
      jit: 'off',
      // Our statements have one good plan each; planning them anew costs more than running them.
      plan_cache_mode: 'force_generic_plan',
      // That plan walks indexes. One that was made while a table was small is used while it grows, so it must not be another.
      enable_seqscan: 'off',
      TimeZone: 'UTC',
    },
  }
  if ('url' in connection) return postgres(connection.url, options)
  const { socketDir, port, user, database } = connection
  return postgres({ ...options, path: join(socketDir, `.s.PGSQL.${port}`), user, database, pass: '' })
}

/**
 * One connection for one transaction, which ends with it: once it is gone every statement is refused. The driver by itself would go on
 * over another one, outside of the transaction, and its `begin` and cursors write to the closed one, which ends the process.
 */
export function connectOnce(connection: Connection, patience?: Patience): Sql {
  const onclose = () => void discard(sql)
  const sql: Sql = connect(connection, { max: 1, keepForever: true, onclose, ...(patience && { patience }) })
  return sql
}

/** `work`, or a `timeout` fault when it has not settled in time. */
export async function within<T>(work: PromiseLike<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreFault('timeout', 'no answer')), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The first word of a server. The driver by itself tries for ever where connections are taken and closed, as by a proxy whose
 * server is away, or by something else than Postgres. Rejects with a message for people.
 */
export async function reach(sql: Sql, { connectMs, answerMs } = PATIENCE): Promise<void> {
  try {
    await within(sql`select 1`, connectMs + answerMs)
  } catch (thrown) {
    const what = whatIsWrong(sql, toFault(thrown))
    throw what === undefined ? thrown : new Error(what, { cause: thrown })
  }
}

/** Of a first word that failed, where the driver's own message does not say it. */
function whatIsWrong(sql: Sql, { kind, code }: StoreFault): string | undefined {
  if (kind === 'timeout') return 'The database takes connections and does not answer: is it Postgres, and does it run?'
  if (code === 'ECONNRESET' && sql.options.ssl !== false)
    return 'The database hung up before the connection was encrypted: DATABASE_URL asks for TLS (sslmode), does the server speak it?'
  return undefined
}

/** Ends a driver's pool at once; what was in it fails. Never rejects. */
export async function discard(sql: Sql): Promise<void> {
  await sql.end({ timeout: 0 }).catch(() => undefined)
}

/**
 * The rows of its answer, or a `timeout` fault. What the driver keeps of a query lives on for some collections of young objects after
 * nobody has it any more, and all that it holds would be copied by each: so parameters and rows, which may be megabytes, leave it.
 */
export async function answerOf<T extends object>(query: PendingQuery<T[]>, ms: number): Promise<T[]> {
  const rows = await within(query, ms)
  for (const name of ['args', 'parameters']) {
    const held: unknown = Reflect.get(query, name)
    if (Array.isArray(held)) held.length = 0
  }
  // Passes over holes. The driver goes on counting rows where an answer was cut: once it has reconnected, the first rows of the
  // next answer stand behind them, and a reader of the first row would take it for absent.
  const own = rows.filter(() => true)
  rows.length = 0
  return own
}

export type PoolOptions = {
  readonly connection: Connection
  readonly max: number
  readonly patience: Patience
  readonly health: UseHealth
}

/** Connections for reads and rare writes. A query that gets no answer costs the pool: the next starts on fresh connections. */
export class Pool {
  readonly #options: PoolOptions
  #sql: Sql
  readonly #transactions: Gate

  constructor(options: PoolOptions) {
    this.#options = options
    this.#transactions = new Gate(options.max)
    this.#sql = connect(options.connection, options)
  }

  /** Rejects with ParleyError `store_unavailable`, `conflict`, `invalid_value` or `internal_error`. */
  async query<T extends object>(build: (sql: Sql) => PendingQuery<T[]>): Promise<T[]> {
    const sql = this.#sql
    try {
      const rows = await answerOf(build(sql), this.#options.patience.answerMs)
      this.#options.health.answered()
      return rows
    } catch (error) {
      throw this.#failed(sql, error)
    }
  }

  /**
   * Several statements, all or none, on a connection of their own: `ms` for the whole. What `work` rejects with takes them back; a
   * ParleyError stays as it is.
   */
  transaction<T>(ms: number, work: (sql: Sql) => Promise<T>): Promise<T> {
    const { connection, patience, health } = this.#options
    return this.#transactions.through(async () => {
      const sql = connectOnce(connection, patience)
      try {
        const result = await within(allOrNone(sql, work), ms)
        health.answered()
        return result
      } catch (error) {
        if (error instanceof ParleyError) throw error
        const fault = toFault(error)
        health.failed(fault)
        throw toStoreError(fault)
      } finally {
        void discard(sql)
      }
    })
  }

  /** What the caller is told. Connections that do not answer are left; a statement that was cancelled fails alone. */
  #failed(sql: Sql, error: unknown): ParleyError {
    const { connection, health } = this.#options
    const fault = toFault(error)
    health.failed(fault)
    if (fault.isSilence && this.#sql === sql) {
      this.#sql = connect(connection, this.#options)
      void discard(sql)
    }
    return toStoreError(fault)
  }

  close(): Promise<void> {
    return discard(this.#sql)
  }
}

/** On `connectOnce`: what is not committed is taken back by the end of the connection. */
export async function allOrNone<T>(sql: Sql, work: (sql: Sql) => Promise<T>): Promise<T> {
  await sql`begin`
  const result = await work(sql)
  await sql`commit`
  return result
}
