import type { CommandInput } from '../../src/protocol/commands.ts'
import type { PendingSend } from './conversation.ts'

/** The command of a send; every time it goes out it is the same, so that the server can tell. */
export function toCommand({ id, text, policy, replaces }: PendingSend): CommandInput {
  const edit = replaces === undefined ? {} : { replaces }
  return { type: 'message.send', clientMessageId: id, content: text, policy, ...edit }
}
