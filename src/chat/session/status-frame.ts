import type { RunRow } from '../../ports/store.ts'
import type { ControlFrame, LastRun, SessionStatus } from '../../protocol/frames.ts'
import { toWirePending, unanswered } from '../calls/open-calls.ts'
import type { QueuedSend } from './activity.ts'
import { toQueueItems } from './wire-messages.ts'

/** What of a session its status tells. */
type Standing = {
  readonly status: SessionStatus
  readonly runId: string | undefined
  readonly queue: readonly QueuedSend[]
  readonly waiting: RunRow | undefined
  readonly lastRun: LastRun | undefined
}

/** P-83: whole, so what it does not say is not so. `now`: by which claims are over. */
export function toStatusFrame(
  { status, runId, queue, waiting, lastRun }: Standing,
  now: number,
): Extract<ControlFrame, { type: 'session.status' }> {
  return {
    type: 'session.status',
    status,
    queued: queue.length,
    queue: toQueueItems(queue),
    ...(unanswered(waiting).length === 0 ? {} : { pending: toWirePending(waiting, now) }),
    ...(runId === undefined ? {} : { runId }),
    ...(lastRun === undefined ? {} : { lastRun }),
  }
}
