import { check } from '../../protocol/check.ts'
import { ApprovalSchema, type RunResume } from '../../protocol/commands.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { type Answer, answerCalls } from '../calls/answer-calls.ts'
import { DECLINED } from '../calls/open-calls.ts'
import type { Caller, Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'

/** What a person said to calls that ask first: those that are approved are made by the run that goes on. */
export async function runResume(core: Core, caller: Caller, { resume }: RunResume): Promise<Outcome> {
  if (new Set(resume.map(({ interruptId }) => interruptId)).size < resume.length)
    throw new ParleyError('bad_request', { message: 'resume: names a call twice' })
  return answerCalls(core, caller, resume.map(toApproval))
}

/** Nothing counts as a yes but a yes. */
export function toApproval({ interruptId, status, payload }: RunResume['resume'][number]): Answer {
  const approved = status === 'resolved' && check(ApprovalSchema, payload, 'payload').approved
  return { toolCallId: interruptId, kind: 'approval', outcome: approved ? 'approved' : DECLINED }
}
