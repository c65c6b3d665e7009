import type { ToolResult } from '../../protocol/commands.ts'
import { type Answer, answerCalls } from '../calls/answer-calls.ts'
import { cap } from '../calls/tool-calls.ts'
import type { Caller, Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'

/** What the browser made of a call; an `error` is what the model reads instead of the content. */
export function toolResult(core: Core, caller: Caller, command: ToolResult): Promise<Outcome> {
  return answerCalls(core, caller, [toResult(core, command)])
}

export function toResult(core: Core, { toolCallId, content, error }: Omit<ToolResult, 'type' | 'id'>): Answer {
  const outcome = { content: cap(error ?? content, core.settings.toolResultBytes), isError: error !== undefined }
  return { toolCallId, kind: 'client', outcome }
}
