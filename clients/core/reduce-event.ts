import type { Event, TerminalEvent } from '../../src/protocol/events.ts'
import type { Message } from '../../src/protocol/messages.ts'
import type { Conversation, RunEnd } from './conversation.ts'
import { appendArguments, appendText, openCall, putResult, rewind, upsert } from './messages.ts'

/** Applies one AG-UI event. `at` is when it came, ISO 8601: streamed messages carry no time of their own. */
export function reduceEvent(conversation: Conversation, event: Event, at: string): Conversation {
  switch (event.type) {
    case 'RUN_STARTED':
      return startRun(conversation, event.runId, event.input?.messages ?? [])
    case 'RUN_FINISHED':
      return endRun(conversation, event.runId, endOf(event))
    case 'RUN_ERROR':
      return endRun(conversation, conversation.streamRunId ?? conversation.runId, endOf(event))
    case 'TEXT_MESSAGE_START':
      return openMessage(conversation, { id: event.messageId, role: 'assistant', metadata: metadata(conversation, at) })
    case 'REASONING_MESSAGE_START':
      return openMessage(conversation, {
        id: event.messageId,
        role: 'reasoning',
        content: '',
        metadata: metadata(conversation, at),
      })
    case 'TEXT_MESSAGE_CONTENT':
    case 'REASONING_MESSAGE_CONTENT':
      return { ...conversation, messages: appendText(conversation.messages, event.messageId, event.delta) }
    case 'TEXT_MESSAGE_END':
    case 'REASONING_MESSAGE_END':
      return { ...conversation, open: without(conversation.open, event.messageId) }
    case 'TOOL_CALL_START':
    case 'TOOL_CALL_ARGS':
    case 'TOOL_CALL_END':
    case 'TOOL_CALL_RESULT':
      return reduceToolCall(conversation, event, at)
    case 'CUSTOM':
      return {
        ...conversation,
        messages: rewind(conversation.messages, event.value.from, conversation.streamRunId, conversation.hasMore),
      }
    // Spans around messages say nothing that the messages do not; a snapshot as an event is for other clients.
    case 'REASONING_START':
    case 'REASONING_END':
    case 'MESSAGES_SNAPSHOT':
      return conversation
    default:
      return event satisfies never
  }
}

type ToolCallEvent = Extract<Event, { type: `TOOL_CALL_${string}` }>

function reduceToolCall(conversation: Conversation, event: ToolCallEvent, at: string): Conversation {
  const { messages, open } = conversation
  switch (event.type) {
    case 'TOOL_CALL_START':
      return {
        ...conversation,
        open: new Set([...open, event.toolCallId]),
        messages: openCall(
          messages,
          event.parentMessageId ?? event.toolCallId,
          { id: event.toolCallId, name: event.toolCallName },
          metadata(conversation, at),
        ),
      }
    case 'TOOL_CALL_ARGS':
      return { ...conversation, messages: appendArguments(messages, event.toolCallId, event.delta) }
    case 'TOOL_CALL_END':
      return { ...conversation, open: without(open, event.toolCallId) }
    case 'TOOL_CALL_RESULT':
      return {
        ...conversation,
        messages: putResult(
          messages,
          {
            id: event.messageId,
            role: 'tool',
            toolCallId: event.toolCallId,
            content: event.content,
            ...(event.metadata === undefined ? {} : { error: event.content }),
          },
          at,
        ),
      }
    default:
      return event satisfies never
  }
}

function startRun(conversation: Conversation, runId: string, messages: readonly Message[]): Conversation {
  const ids = new Set(messages.map((message) => message.id))
  return {
    ...conversation,
    status: 'processing',
    runId,
    streamRunId: runId,
    // The sender's own copy has the same id, so it is never shown twice.
    messages: messages.reduce(upsert, conversation.messages),
    sends: conversation.sends.filter((send) => !ids.has(send.id)),
    queue: conversation.queue.filter((item) => item.runId !== runId),
  }
}

function endOf(event: TerminalEvent): RunEnd {
  if (event.type === 'RUN_ERROR') return { outcome: 'error', code: event.code, message: event.message }
  // What is pending is said by session.status: the run itself did all it could.
  return { outcome: event.outcome.type === 'interrupt' ? 'success' : event.outcome.type }
}

function endRun(conversation: Conversation, runId: string | undefined, end: RunEnd): Conversation {
  if (runId === undefined) return conversation
  const rest = end.outcome === 'cancelled' ? 'interrupted' : 'idle'
  return {
    ...conversation,
    // session.status says it as well, but not in a tail that is read again.
    status: conversation.queue.length > 0 ? 'processing' : rest,
    runId: undefined,
    streamRunId: undefined,
    open: new Set(),
    ends: { ...conversation.ends, [runId]: end },
    lastRun: { runId, outcome: end.outcome, ...(end.code === undefined ? {} : { code: end.code }) },
    cancelling: conversation.cancelling === runId ? undefined : conversation.cancelling,
  }
}

/** Opens a message that streams; one that is held already (a snapshot's partial content) keeps its text. */
function openMessage(conversation: Conversation, message: Message): Conversation {
  const known = conversation.messages.some((each) => each.id === message.id)
  return {
    ...conversation,
    open: new Set([...conversation.open, message.id]),
    messages: known ? conversation.messages : [...conversation.messages, message],
  }
}

function metadata(conversation: Conversation, at: string): Message['metadata'] {
  return { runId: conversation.streamRunId ?? conversation.runId ?? '', createdAt: at }
}

function without(open: ReadonlySet<string>, id: string): ReadonlySet<string> {
  if (!open.has(id)) return open
  return new Set([...open].filter((each) => each !== id))
}
