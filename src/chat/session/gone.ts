import { ParleyError } from '../../protocol/errors.ts'
import type { Core } from '../core.ts'
import type { RunEnd } from '../run/run-end.ts'
import type { QueuedSend } from './activity.ts'

/** What a deletion ends of a session in memory. */
interface Held {
  readonly core: Core
  readonly id: string
  readonly active: { stop(end: RunEnd): boolean } | undefined
  queue: readonly QueuedSend[]
  stored: boolean
  readonly retired: boolean
  retire(why: ParleyError): void
}

/**
 * The session was deleted: its run is stopped, its connections are told and closed (4404), and nothing of it stays in memory.
 * What is still on its way into the store is refused there.
 */
export function endDeleted(session: Held): ParleyError {
  const why = new ParleyError('session_not_found')
  session.active?.stop({ kind: 'cancelled' })
  session.queue = []
  session.stored = false
  if (!session.retired) session.retire(why)
  return why
}

/** A write that was refused because its session was deleted in another process is told as that, and ends the copy here. */
export async function orGone(session: Held, thrown: unknown): Promise<unknown> {
  if (!session.stored || !(thrown instanceof ParleyError) || thrown.code !== 'conflict') return thrown
  const isThere = await session.core.store.load(session.id).then(
    (loaded) => loaded !== undefined,
    // Nobody can say: the next command, or the notice of the deletion, finds out.
    () => true,
  )
  return isThere ? thrown : endDeleted(session)
}
