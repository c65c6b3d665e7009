import { check } from '../../protocol/check.ts'
import { ClientIdSchema } from '../../protocol/ids.ts'
import type { HttpContext } from '../responses.ts'
import { findFor } from './admit.ts'
import type { Aomi } from './parts.ts'
import { sessionIdOf } from './request.ts'
import { answerEmpty, answerSnapshot } from './state.ts'

/** Milliseconds for the end of what was stopped to be saved, which is the next thing that happens. */
const SETTLE_MS = 500
/** The clients stop asking once they hear it; what they see is what was said until the stop. */
const STOPPED = { is_processing: false, interrupted: true }

/**
 * `POST /api/interrupt`: stops what is on or waits when the request comes in, and nothing that comes later: a slow interrupt
 * never touches the next run. `run_id` names one run.
 */
export async function interrupt(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c, true)
  const named = c.req.query('run_id')
  const only = named === undefined ? undefined : check(ClientIdSchema, named, 'run_id')
  // Before anything is waited for.
  const held = aomi.conversations.held(id)
  const now = held?.runs()
  const newest = held?.newestRuns()
  for (const runs of [now, newest]) runs?.catch(() => undefined)
  const conversation = await findFor(c, aomi, id, 'write')
  if (conversation === undefined) return answerEmpty(id, aomi.memos.stateOf(id), STOPPED)
  const isMeant = (runId: string): boolean => only === undefined || runId === only
  const known = await (now ?? conversation.runs())
  await conversation.cancel(known.filter(isMeant))
  // Behind what is stopped at once: the store, which knows what another process began or queued a moment ago, may be slow.
  const others = (await newest)?.filter((runId) => !known.includes(runId)) ?? []
  await conversation.cancel(others.filter(isMeant))
  await conversation.idle(SETTLE_MS)
  return answerSnapshot(c, aomi, conversation, only === undefined ? STOPPED : { interrupted: true })
}
