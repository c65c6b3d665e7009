import { createHash } from 'node:crypto'
import type { AliasFrame, AliasMessage } from '../../protocol/aliases.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { isClientId } from '../../protocol/ids.ts'
import type { Caller, Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'
import { findSend, messageSend } from '../handlers/message-send.ts'
import { runRetry } from '../handlers/run-retry.ts'
import type { Session } from '../session/session.ts'

type RunFrame = Extract<AliasFrame, { kind: 'run' }>

/**
 * A client's whole conversation, of which only what its person said last and this session does not know is believed (P-102):
 * that is a send. When all is known, it asks for another answer to the last message (P-104).
 */
export async function aliasSend(core: Core, caller: Caller, frame: RunFrame): Promise<Outcome> {
  const { session } = caller
  // A send that came before this one and is still being stored counts as known.
  await session.exclusive(async () => undefined)
  const said = frame.messages.map((message) => ({ ...message, id: toClientMessageId(message.id) }))
  const last = said.at(-1)
  if (last === undefined) throw new ParleyError('internal_error')
  const fresh = await unknownSends(session, said)
  if (fresh.length === 0 && (await runOf(session, last.id)) !== frame.runId)
    return answerAgain(core, caller, last, frame.runId)
  const content = fresh.length === 0 ? last.content : fresh.map((message) => message.content).join('\n\n')
  const command = { type: 'message.send', clientMessageId: last.id, content, policy: 'enqueue' } as const
  return messageSend(core, caller, command, frame.runId)
}

/** Ids that do not fit ours get one that is always the same for them. */
function toClientMessageId(id: string): string {
  return isClientId(id) ? id : createHash('sha256').update(id).digest('base64url')
}

/** The newest messages, up to one that the session knows. */
async function unknownSends(session: Session, said: readonly AliasMessage[]): Promise<readonly AliasMessage[]> {
  for (let index = said.length - 1; index >= 0; index--)
    if ((await runOf(session, said[index]?.id ?? '')) !== undefined) return said.slice(index + 1)
  return said
}

async function runOf(session: Session, id: string): Promise<string | undefined> {
  return (await findSend(session, await session.history(), id))?.runId
}

/** The run that answers the last message is done again; if it is still on, it is stopped first. */
async function answerAgain(core: Core, caller: Caller, said: AliasMessage, id: string): Promise<Outcome> {
  const { session } = caller
  const asked = (await session.history()).rows.findLast((row) => row.role === 'user')
  // A retry gives the message a new id, so the text decides which one is meant.
  if (asked === undefined || !asked.content.endsWith(said.content)) throw new ParleyError('conflict')
  const run = session.active
  if (run?.runId === asked.runId) {
    run.stop({ kind: 'cancelled' })
    await session.settled()
  }
  return runRetry(core, caller, { type: 'run.retry', runId: asked.runId }, id)
}
