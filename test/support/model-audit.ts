import type { ModelMessage, ModelRequest } from '../../src/ports/provider.ts'
import { isStorable } from '../../src/protocol/text.ts'

/** What a model's API would refuse in a request (I5), as sentences; none for a valid one. */
export function faultsOf({ messages }: Pick<ModelRequest, 'messages'>): string[] {
  const faults: string[] = []
  if (messages[0]?.role !== 'user') faults.push(`begins with ${messages[0]?.role ?? 'nothing'}`)
  if (!messages.some(({ role }) => role === 'user')) faults.push('no user message')
  messages.forEach((message, index) => {
    for (const fault of messageFaults(message)) faults.push(`message ${index}: ${fault}`)
    if (message.role === 'assistant')
      faults.push(
        ...resultFaults(
          message.toolCalls.map(({ id }) => id),
          messages,
          index,
        ),
      )
    if (message.role === 'tool' && !callsBefore(messages, index).includes(message.toolCallId))
      faults.push(`message ${index}: a result without its call`)
  })
  return faults
}

function messageFaults(message: ModelMessage): string[] {
  const faults: string[] = []
  if (!isStorable(message.content)) faults.push('text that no store takes')
  const blank = message.content.trim() === ''
  if (message.role === 'assistant') {
    if (blank && message.content !== '') faults.push('blank text')
    if (blank && message.toolCalls.length === 0) faults.push('says nothing')
    if (!message.toolCalls.every((call) => isArguments(call.arguments))) faults.push('arguments that are no object')
  } else if (blank) faults.push(`empty ${message.role} message`)
  return faults
}

/** Every call is answered exactly once, right behind the message that made it. */
function resultFaults(calls: readonly string[], messages: readonly ModelMessage[], index: number): string[] {
  const behind = messages.slice(index + 1, index + 1 + calls.length)
  const answered = behind.flatMap((message) => (message.role === 'tool' ? [message.toolCallId] : []))
  return [...answered].sort().join() === [...calls].sort().join()
    ? []
    : [`message ${index}: calls without their results`]
}

/** The calls of the assistant message that the tool messages around `index` follow. */
function callsBefore(messages: readonly ModelMessage[], index: number): string[] {
  const owner = messages.slice(0, index).findLast(({ role }) => role !== 'tool')
  return owner?.role === 'assistant' ? owner.toolCalls.map(({ id }) => id) : []
}

function isArguments(text: string): boolean {
  if (text.trim() === '') return true
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
