import type { MessageRow } from '../../ports/store.ts'
import type { Event } from '../../protocol/events.ts'
import { deltaEvents } from '../run/deltas.ts'
import { resultEvent } from '../run/run-events.ts'

/**
 * What a run has said, again as events: all of an item in one go, those of `open` left without their end. For a client that
 * holds nothing of the run.
 */
export function replayEvents(rows: readonly MessageRow[], open: ReadonlySet<string>): Event[] {
  return rows.flatMap((row) => {
    switch (row.role) {
      case 'user':
        return []
      case 'reasoning':
        return replayReasoning(row, open.has(row.id))
      case 'assistant':
        return replayAnswer(row, open)
      case 'tool':
        return [resultEvent(row)]
    }
  })
}

/** The ids of the items that `opening` leaves open. */
export function openItems(opening: readonly Event[]): ReadonlySet<string> {
  return new Set(
    opening.flatMap((event) => {
      if (event.type === 'TOOL_CALL_START') return [event.toolCallId]
      return event.type === 'TEXT_MESSAGE_START' || event.type === 'REASONING_START' ? [event.messageId] : []
    }),
  )
}

function replayReasoning({ id: messageId, content }: MessageRow, isOpen: boolean): Event[] {
  const end: Event[] = [
    { type: 'REASONING_MESSAGE_END', messageId },
    { type: 'REASONING_END', messageId },
  ]
  return [
    { type: 'REASONING_START', messageId },
    { type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning' },
    ...deltas('REASONING_MESSAGE_CONTENT', messageId, content),
    ...(isOpen ? [] : end),
  ]
}

/** The text stays open around the calls, as it was when they were made. */
function replayAnswer({ id: messageId, content, toolCalls = [] }: MessageRow, open: ReadonlySet<string>): Event[] {
  const isOpen = open.has(messageId)
  const hasText = content !== '' || isOpen
  const start: Event = { type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' }
  const calls = toolCalls.flatMap(({ id: toolCallId, name, arguments: text }): Event[] => [
    { type: 'TOOL_CALL_START', toolCallId, toolCallName: name, parentMessageId: messageId },
    ...deltas('TOOL_CALL_ARGS', toolCallId, text),
    ...(open.has(toolCallId) ? [] : [{ type: 'TOOL_CALL_END', toolCallId } as const]),
  ])
  return [
    ...(hasText ? [start] : []),
    ...deltas('TEXT_MESSAGE_CONTENT', messageId, content),
    ...calls,
    ...(hasText && !isOpen ? [{ type: 'TEXT_MESSAGE_END', messageId } as const] : []),
  ]
}

function deltas(type: Parameters<typeof deltaEvents>[0], item: string, text: string): readonly Event[] {
  return text === '' ? [] : [...deltaEvents(type, item, text)]
}
