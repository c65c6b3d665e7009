import type { Fragment, Sql } from 'postgres'
import { SESSION_VAULT } from '../ports/vault.ts'
import { ParleyError } from '../protocol/errors.ts'
import { notify, recordChange } from './changes.ts'
import type { Patience, Pool } from './connection.ts'
import { toFault } from './faults.ts'

/**
 * Milliseconds that an erasure waits for a row that a write holds. Well below the second after which Postgres breaks a deadlock:
 * of the two it is the erasure that gives way, as behind the write all others wait.
 */
const LOCK_WAIT_MS = 200
/** Erasures give way so often before they are refused; writes hold rows for milliseconds. */
const TRIES = 25
/** Milliseconds between them. */
const PAUSE_MS = 20
/** The lock was not to be had in time; a deadlock was broken. */
const GAVE_WAY: ReadonlySet<string | undefined> = new Set(['55P03', '40P01'])

/** Which session alone is meant: one to which nothing was written since then, or that is still as it was. Milliseconds since 1970. */
type Only = { readonly untouchedSince: number } | { readonly createdAt: number; readonly updatedAt: number }

/** As `SessionStore.delete`. */
export async function eraseSession(
  pool: Pool,
  { answerMs }: Patience,
  sessionId: string,
  only?: Only,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await pool.transaction(answerMs, (sql) => erase(sql, sessionId, only))
    } catch (thrown) {
      if (!(thrown instanceof GaveWay) || tries === TRIES) throw thrown
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}

class GaveWay extends ParleyError {
  constructor(cause: unknown) {
    super('overloaded', { cause, retryAfterMs: LOCK_WAIT_MS })
  }
}

async function erase(sql: Sql, sessionId: string, only: Only | undefined): Promise<boolean> {
  try {
    return await eraseAll(sql, sessionId, only)
  } catch (thrown) {
    const fault = toFault(thrown)
    throw GAVE_WAY.has(fault.code) ? new GaveWay(fault) : thrown
  }
}

/** Of the session's own row: a write that is waited for is seen by it. */
function isMeant(sql: Sql, only: Only | undefined): Fragment {
  if (only === undefined) return sql``
  if ('untouchedSince' in only) return sql`and updated_at < ${new Date(only.untouchedSince)}::timestamptz`
  return sql`
    and created_at = ${new Date(only.createdAt)}::timestamptz and updated_at = ${new Date(only.updatedAt)}::timestamptz`
}

/** Locks in the order of the write path: runs, then their session. */
async function eraseAll(sql: Sql, sessionId: string, only: Only | undefined): Promise<boolean> {
  await sql`select set_config('lock_timeout', ${String(LOCK_WAIT_MS)}, true)`
  await sql`select from runs where session_id = ${sessionId} order by id for update`
  const gone = await sql`delete from sessions where id = ${sessionId} ${isMeant(sql, only)} returning id`
  if (gone.length === 0) return false
  // A statement of its own: it sees what was written up to the moment in which the runs were gone, and later nothing is.
  await sql`delete from message_tails where session_id = ${sessionId}`
  await sql`delete from vault_entries where vault = ${SESSION_VAULT + sessionId}`
  await sql`with ${recordChange(sql, 'session', sql`select ${sessionId}::text`)} select ${notify(sql)}`
  return true
}
