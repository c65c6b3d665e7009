import type { AliasFrame } from '../../protocol/aliases.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { answerCalls, nothingPending } from '../calls/answer-calls.ts'
import { unanswered } from '../calls/open-calls.ts'
import type { Caller, Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'
import { toApproval } from '../handlers/run-resume.ts'
import { toResult } from '../handlers/tool-result.ts'
import type { Session } from '../session/session.ts'

type ResumeFrame = Extract<AliasFrame, { kind: 'resume' }>

/**
 * Answers to calls that wait, of which this wire gives all at once (P-102): the run that goes on has the frame's id. Of the
 * results that the client holds only those of the page's own tools that wait are believed. The same frame again is the same turn.
 */
export async function aliasAnswers(core: Core, caller: Caller, frame: ResumeFrame): Promise<Outcome> {
  const { session } = caller
  // One that came before this and is still being stored counts as known.
  await session.exclusive(async () => undefined)
  if (await isKnown(session, frame.runId)) return { ack: { runId: frame.runId, duplicate: true } }
  const open = new Set(unanswered(session.waiting).flatMap((call) => (call.kind === 'client' ? [call.toolCallId] : [])))
  const results = frame.results.filter(({ toolCallId }) => open.has(toolCallId))
  const answers = [...frame.approvals.map(toApproval), ...results.map((result) => toResult(core, result))]
  if (answers.length === 0) throw nothingPending()
  const outcome = await answerCalls(core, caller, answers, frame.runId)
  if (outcome.ack.runId === frame.runId) return outcome
  if (outcome.ack.duplicate === true) throw nothingPending()
  throw new ParleyError('conflict', { message: 'It is stored; other calls still wait for their answers' })
}

async function isKnown(session: Session, runId: string): Promise<boolean> {
  if (session.runId === runId) return true
  return session.stored && (await session.core.store.findRun(session.id, runId)) !== undefined
}
