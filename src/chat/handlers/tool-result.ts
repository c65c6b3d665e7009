import type { ToolResult } from '../../protocol/commands.ts'
import { type Answer, answerCalls } from '../answer-calls.ts'
import type { Caller, Outcome } from '../caller.ts'
import type { Core } from '../core.ts'
import { cap } from '../tool-calls.ts'

/** What the browser made of a call; an `error` is what the model reads instead of the content. */
export function toolResult(core: Core, caller: Caller, { toolCallId, content, error }: ToolResult): Promise<Outcome> {
  const outcome = { content: cap(error ?? content, core.settings.toolResultBytes), isError: error !== undefined }
  const answer: Answer = { toolCallId, kind: 'client', outcome }
  return answerCalls(core, caller, [answer])
}
