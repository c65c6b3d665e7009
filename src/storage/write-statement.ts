import type { PendingQuery, Sql } from 'postgres'
import type { EncodedWrite } from './encode.ts'
import { MAX_NAMED_SESSIONS, writtenBy } from './session-changes.ts'
import { parametersOf, type Rows, textOf } from './write-text.ts'

/**
 * Writes of distinct sessions; resolves with the sessions that a fence refused, once all others are durable. `teller`: this
 * process, where others are present that must hear of it.
 */
export function writeStatement(
  sql: Sql,
  writes: readonly EncodedWrite[],
  teller?: string,
): PendingQuery<{ id: string }[]> {
  const rows: Rows = {
    sessions: writes.flatMap(({ session, known }) => (session === undefined ? [] : [sessionJson(session, known)])),
    runs: writes.flatMap((write) => [...write.runs.values()]),
    messages: writes.flatMap((write) => [...write.messages.values()]),
    guards: writes.flatMap((write) => [...write.guards.values()]),
    tails: writes.flatMap((write) => [...write.tails.values()]),
    superseding: writes.flatMap((write) => write.supersede ?? []),
    told: teller === undefined ? [] : refsOf(teller, writes).map((ref) => JSON.stringify(ref)),
  }
  const known = writes.some((write) => write.session !== undefined && write.known)
  const ends = writes.some((write) => write.ends)
  return sql.unsafe<{ id: string }[]>(textOf(rows, { known, ends }), parametersOf(rows), { prepare: true })
}

/** Writes no row, and is refused where rows would be: by a standby, in a read-only transaction. */
export function writeNothing(sql: Sql): PendingQuery<{ id: string }[]> {
  return sql<{ id: string }[]>`update sessions set status = status where false returning id`
}

function sessionJson(session: NonNullable<EncodedWrite['session']>, known: boolean): string {
  return JSON.stringify({
    ...session,
    ...(session.wallet === null ? { wallet: false } : {}),
    ...(known ? { known } : {}),
  })
}

/** What others must hear of: checkpoints they find by themselves. */
function refsOf(teller: string, writes: readonly EncodedWrite[]): string[] {
  const ids = writes.flatMap((write) => (write.session === undefined && write.runs.size === 0 ? [] : [write.sessionId]))
  const refs: string[] = []
  for (let at = 0; at < ids.length; at += MAX_NAMED_SESSIONS)
    refs.push(writtenBy(teller, ids.slice(at, at + MAX_NAMED_SESSIONS)))
  return refs
}
