import type { Message, ToolCall } from '../../src/protocol/messages.ts'

type Assistant = Extract<Message, { role: 'assistant' }>
type Result = Extract<Message, { role: 'tool' }>

/** `message` in the place of the one with its id, else at the end. */
export function upsert(messages: readonly Message[], message: Message): readonly Message[] {
  const at = messages.findLastIndex((each) => each.id === message.id)
  return at === -1 ? [...messages, message] : messages.with(at, message)
}

export function hasCall(messages: readonly Message[], callId: string): boolean {
  return messages.some((each) => holdsCall(each, callId))
}

/** Adds `delta` to a message's text; an unknown id changes nothing. */
export function appendText(messages: readonly Message[], id: string, delta: string): readonly Message[] {
  // From the end: what streams is among the newest.
  const at = messages.findLastIndex((each) => each.id === id)
  const message = messages[at]
  return message === undefined ? messages : messages.with(at, { ...message, content: (message.content ?? '') + delta })
}

/** Adds `delta` to a tool call's arguments; an unknown id changes nothing. */
export function appendArguments(messages: readonly Message[], callId: string, delta: string): readonly Message[] {
  return withCall(messages, callId, (call) => ({
    ...call,
    function: { ...call.function, arguments: call.function.arguments + delta },
  }))
}

/**
 * Puts a result at the end of its call's run, also where the next has begun (P-76). One whose call is not held belongs to a page
 * that is not loaded.
 */
export function putResult(
  messages: readonly Message[],
  result: Omit<Result, 'metadata'>,
  at: string,
): readonly Message[] {
  const caller = messages.findLast((each) => holdsCall(each, result.toolCallId))
  if (caller === undefined) return messages
  const { runId } = caller.metadata
  const message: Result = { ...result, metadata: { runId, createdAt: at } }
  if (messages.some((each) => each.id === message.id)) return upsert(messages, message)
  const last = messages.findLastIndex((each) => each.metadata.runId === runId)
  return messages.toSpliced(last + 1, 0, message)
}

/** Puts a call without arguments on the assistant message `parentId`; a call that is known stays as it is. */
export function openCall(
  messages: readonly Message[],
  parentId: string,
  call: { readonly id: string; readonly name: string },
  metadata: Message['metadata'],
): readonly Message[] {
  if (hasCall(messages, call.id)) return messages
  const parent = messages.find((each): each is Assistant => each.id === parentId && each.role === 'assistant')
  const toolCall: ToolCall = { id: call.id, type: 'function', function: { name: call.name, arguments: '' } }
  return upsert(messages, {
    ...(parent ?? { id: parentId, role: 'assistant', metadata }),
    toolCalls: [...(parent?.toolCalls ?? []), toolCall],
  })
}

/** P-72: without message `from` and every later one that is not of run `runId`. */
export function rewind(
  messages: readonly Message[],
  from: string,
  runId: string | undefined,
  hasMore: boolean,
): readonly Message[] {
  const at = messages.findIndex((each) => each.id === from)
  // Not held here, and the server has older ones: then all that is held came after it.
  if (at === -1 && !hasMore) return messages
  return messages.filter((each, index) => index < at || each.metadata.runId === runId)
}

/**
 * A snapshot over the local copy of the same life of the log: what it holds replaces partial content, and local messages
 * stay only where they are older than all of it (pages that were loaded before).
 */
export function mergeSnapshot(
  local: readonly Message[],
  snapshot: { readonly messages: readonly Message[]; readonly hasMore: boolean },
  localHasMore: boolean,
): { readonly messages: readonly Message[]; readonly hasMore: boolean } {
  const [first] = snapshot.messages
  const at = first === undefined || !snapshot.hasMore ? -1 : local.findIndex((each) => each.id === first.id)
  // No common message: there may be a gap, and a gap is worse than loading a page again.
  if (at <= 0) return { messages: snapshot.messages, hasMore: snapshot.hasMore }
  return { messages: [...local.slice(0, at), ...snapshot.messages], hasMore: localHasMore }
}

/** A page of history before the message `before`; ignored when that is no longer the oldest one held. */
export function prepend(
  messages: readonly Message[],
  page: readonly Message[],
  before: string | undefined,
): readonly Message[] {
  if (messages[0]?.id !== before) return messages
  const known = new Set(messages.map((each) => each.id))
  return [...page.filter((each) => !known.has(each.id)), ...messages]
}

function holdsCall(message: Message, callId: string): boolean {
  return message.role === 'assistant' && message.toolCalls?.some((call) => call.id === callId) === true
}

function withCall(
  messages: readonly Message[],
  callId: string,
  change: (call: ToolCall) => ToolCall,
): readonly Message[] {
  const at = messages.findLastIndex((each) => holdsCall(each, callId))
  const message = messages[at]
  if (message?.role !== 'assistant') return messages
  const toolCalls = message.toolCalls?.map((call) => (call.id === callId ? change(call) : call))
  return messages.with(at, { ...message, toolCalls })
}
