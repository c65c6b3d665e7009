import type { FrameRef } from '../../protocol/codec.ts'
import type { Command } from '../../protocol/commands.ts'
import type { ParleyError } from '../../protocol/errors.ts'
import type { ErrorFrame } from '../../protocol/frames.ts'

/** What an error says about the command that it answers. */
export function refOf(command: Command): FrameRef {
  return {
    ...(command.id === undefined ? {} : { ref: command.id }),
    ...(command.type === 'message.send' ? { clientMessageId: command.clientMessageId } : {}),
  }
}

export function errorFrame(error: ParleyError, ref: FrameRef): ErrorFrame {
  const retry = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }
  return { type: 'error', ...ref, code: error.code, message: error.message, retryable: error.retryable, ...retry }
}
