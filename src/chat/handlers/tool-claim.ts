import { randomUUID } from 'node:crypto'
import type { ToolClaim } from '../../protocol/commands.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { nothingPending } from '../calls/answer-calls.ts'
import { taken, unanswered } from '../calls/open-calls.ts'
import type { Caller, Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'
import { onNewest } from '../session/outrun.ts'
import { reconcile } from '../session/renew.ts'
import { assertAccepting } from './message-send.ts'

/** Names of connections that claimed something: few do. */
const names = new WeakMap<Caller, string>()

/** A lease on a call that waits for the browser: of several tabs, in whatever process, one executes it. Claimed again, it is longer. */
export async function toolClaim(core: Core, caller: Caller, command: ToolClaim): Promise<Outcome> {
  const { session } = caller
  const outcome = await session.exclusive(() => onNewest(session, () => claim(core, caller, command)))
  if (outcome instanceof ParleyError) throw outcome
  return outcome
}

/** Another's lease is an answer: it is no reason to ask the store what is newer. */
async function claim(core: Core, caller: Caller, { toolCallId }: ToolClaim): Promise<Outcome | ParleyError> {
  const { session } = caller
  assertAccepting(core, session)
  await reconcile(session)
  const run = session.waiting
  const call = unanswered(run).find((open) => open.toolCallId === toolCallId && open.kind === 'client')
  if (run === undefined || call === undefined) throw nothingPending()
  const [by, now] = [nameOf(caller), core.now()]
  if (call.claim !== undefined && call.claim.by !== by && call.claim.until > now) return leased(call.claim.until - now)
  const { toolLeaseMs } = core.settings
  const claimed = { ...call, claim: { by, until: now + toolLeaseMs } }
  const row = taken(core, run, run.pending?.map((open) => (open === call ? claimed : open)) ?? [])
  await session.change({}, { runs: [row] }, core.settings.storeGiveUpMs)
  session.waiting = row
  session.announceStatus()
  return { ack: { expiresInMs: toolLeaseMs } }
}

function leased(forMs: number): ParleyError {
  return new ParleyError('overloaded', { message: 'Another connection executes this call', retryAfterMs: forMs })
}

function nameOf(caller: Caller): string {
  const name = names.get(caller) ?? randomUUID()
  names.set(caller, name)
  return name
}
