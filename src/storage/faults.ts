import postgres from 'postgres'
import { ParleyError } from '../protocol/errors.ts'

/**
 * `away`: nobody can use the store now, the same request may succeed later. `timeout`: no answer in time, it may have been
 * carried out. `busy`: another process runs in the session. `conflict`, `data`: this request's own fault. `unknown`: a bug.
 */
export type FaultKind = 'away' | 'timeout' | 'busy' | 'conflict' | 'data' | 'unknown'

/** A failure of the store. Holds codes and names only: what Postgres says about rows quotes what people wrote. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'
  readonly kind: FaultKind
  /** SQLSTATE, or the driver's code. */
  readonly code: string | undefined

  constructor(
    kind: FaultKind,
    what: string,
    { code, cause }: { readonly code?: string; readonly cause?: unknown } = {},
  ) {
    super(what, { cause })
    this.kind = kind
    this.code = code
  }

  /**
   * Nothing was heard: whoever has the connection cannot know what comes on it next. A statement that was cancelled got an answer. A
   * connect without one may be the driver's own: a connection that closed while something was to go out sends nothing for ever.
   */
  get isSilence(): boolean {
    return this.code === CONNECT_TIMEOUT || (this.kind === 'timeout' && this.code === undefined)
  }
}

/** The driver's. */
const CONNECT_TIMEOUT = 'CONNECT_TIMEOUT'
const SQLSTATE = /^[0-9A-Z]{5}$/
/** Statement canceled: our statement_timeout. */
const QUERY_CANCELED = '57014'
const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'
const NOT_NULL_VIOLATION = '23502'
/** The write statement makes this column null when a session's owner would change. */
const OWNER_GUARD = 'app'
/** The index that keeps a session to one running run; within a process the chat does, so its violation comes from two. */
const ONE_RUNNING = 'runs_one_running'
/** Milliseconds before a session that runs elsewhere is tried again: about the time of a short answer. */
const BUSY_RETRY_MS = 1000
/** Milliseconds before a store that is away is asked again: as long as the group commit's own tries are apart at most. */
const AWAY_RETRY_MS = 1000

/**
 * Classes of SQLSTATE (their first two characters) that say nothing against the request: connection, resources, operator's
 * intervention, system, deadlock and serialization, a standby after failover, and a database that is being set up.
 */
const AWAY_CLASSES = new Set(['08', '25', '28', '3D', '40', '42', '53', '55', '57', '58', 'F0'])
/** Data exception, integrity constraint, program limit (an id too long for an index), the same row twice. */
const DATA_CLASSES = new Set(['22', '23', '54', '21'])

/** Sorts any throw of the driver by its code, never by its text. */
export function toFault(thrown: unknown): StoreFault {
  if (thrown instanceof StoreFault) return thrown
  const code = thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
  if (thrown instanceof postgres.PostgresError) {
    const { constraint_name: constraint, column_name: column } = thrown
    return new StoreFault(
      kindOf(thrown.code, constraint, column),
      ['postgres', thrown.code, constraint ?? column ?? ''].join(' ').trim(),
      { code: thrown.code },
    )
  }
  if (code === undefined || code === 'UNDEFINED_VALUE')
    return new StoreFault('unknown', 'store code failed', { cause: thrown })
  if (code === QUERY_CANCELED) return new StoreFault('timeout', 'query canceled', { code })
  return new StoreFault('away', `connection ${code}`, { code })
}

function kindOf(sqlstate: string, constraint: string | undefined, column: string | undefined): FaultKind {
  if (!SQLSTATE.test(sqlstate)) return 'unknown'
  if (sqlstate === QUERY_CANCELED) return 'timeout'
  if (sqlstate === UNIQUE_VIOLATION && constraint === ONE_RUNNING) return 'busy'
  if (sqlstate === UNIQUE_VIOLATION || sqlstate === FOREIGN_KEY_VIOLATION) return 'conflict'
  if (sqlstate === NOT_NULL_VIOLATION && column === OWNER_GUARD) return 'conflict'
  const group = sqlstate.slice(0, 2)
  if (AWAY_CLASSES.has(group)) return 'away'
  return DATA_CLASSES.has(group) ? 'data' : 'unknown'
}

const CODES = {
  away: 'store_unavailable',
  timeout: 'store_unavailable',
  busy: 'overloaded',
  conflict: 'conflict',
  data: 'invalid_value',
  unknown: 'internal_error',
} as const satisfies Record<FaultKind, string>

const RETRIES: Partial<Record<FaultKind, number>> = {
  away: AWAY_RETRY_MS,
  timeout: AWAY_RETRY_MS,
  busy: BUSY_RETRY_MS,
}

/** The row of the error table that callers of the store see, with when to ask again. */
export function toStoreError(fault: StoreFault): ParleyError {
  const retryAfterMs = RETRIES[fault.kind]
  return new ParleyError(CODES[fault.kind], { cause: fault, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
}

/** Refused before the store said anything: too much waits for it, or this has waited as long as it may. */
export function storeAway(): ParleyError {
  return new ParleyError('store_unavailable', { retryAfterMs: AWAY_RETRY_MS })
}
