import type { MessageRow } from '../../ports/store.ts'
import type { QueueItem } from '../../protocol/frames.ts'
import { MAX_OUTBOUND_FRAME_BYTES, MAX_PAGE_MESSAGES, MAX_WIRE_TOOL_RESULT_BYTES } from '../../protocol/limits.ts'
import type { Message } from '../../protocol/messages.ts'
import { fitsUtf8, truncateUtf8, utf8Length } from '../../protocol/text.ts'

/** Bytes of a page's frame that its envelope may take. */
const ENVELOPE_BYTES = 1024
/** Bytes of text in one message at most; less where its escapes would not fit a frame. */
const MAX_PAGE_TEXT_BYTES = 96 * 1024
/** Bytes that one message may take as JSON: a frame's with room for the envelope. */
const MAX_MESSAGE_JSON_BYTES = MAX_OUTBOUND_FRAME_BYTES - 2 * ENVELOPE_BYTES
/** Bytes that a message of text alone takes as JSON beside its text: two ids of at most 64 characters, a time, the keys. */
const TEXT_ENVELOPE_BYTES = 512
/** Bytes of JSON that one UTF-16 unit takes at most, as an escape. */
const MAX_ESCAPED_BYTES = 6
/** Characters that JSON puts around a text. */
const QUOTES = 2
/** Below this share of its limits a message is sent as it is: ids and names alone fill the frame, which bounds prevent. */
const MIN_SHARE = 1 / 1024
/** Bytes of text of one queued message at most: a queue of the usual length has so much of each, whatever its escapes. */
const MAX_QUEUED_TEXT_BYTES = 2 * 1024
/** Bytes that the queue may take of a frame, so that a thousand sends with the longest ids still show some of their texts. */
const MAX_QUEUE_JSON_BYTES = 0.75 * MAX_OUTBOUND_FRAME_BYTES
/** Bytes of a queued message as JSON beside its ids and text: the keys and a comma. */
const QUEUE_ITEM_BYTES = JSON.stringify({ runId: '', clientMessageId: '', content: '' }).length + 1

export type WirePage = { readonly messages: Message[]; readonly hasMore: boolean }

/** A stored message in AG-UI's shape, what is too long for the wire cut and marked. Fits a frame whatever it holds. */
export function toWire(row: MessageRow): Message {
  let share = 1
  let message = shaped(row, share)
  if (textLength(row) * MAX_ESCAPED_BYTES <= MAX_MESSAGE_JSON_BYTES) return message
  while (utf8Length(JSON.stringify(message)) > MAX_MESSAGE_JSON_BYTES && share > MIN_SHARE) {
    share /= 2
    message = shaped(row, share)
  }
  return message
}

function textLength(row: MessageRow): number {
  return (row.toolCalls ?? []).reduce((sum, call) => sum + call.arguments.length, row.content.length)
}

/** With `share` of what its texts may take at most. */
function shaped(row: MessageRow, share: number): Message {
  const limit = share * (row.role === 'tool' ? MAX_WIRE_TOOL_RESULT_BYTES : MAX_PAGE_TEXT_BYTES)
  const argumentBytes = share * MAX_WIRE_TOOL_RESULT_BYTES
  const content = truncateUtf8(row.content, limit)
  const cut =
    content.length < row.content.length || row.toolCalls?.some((call) => !fitsUtf8(call.arguments, argumentBytes))
  const metadata = {
    runId: row.runId,
    createdAt: new Date(row.createdAt).toISOString(),
    ...(row.interrupted === true ? { interrupted: true as const } : {}),
    ...(cut === true ? { truncated: true as const } : {}),
  }
  switch (row.role) {
    case 'user':
    case 'reasoning':
      return { id: row.id, role: row.role, content, metadata }
    case 'tool':
      return {
        id: row.id,
        role: 'tool',
        toolCallId: row.toolCallId ?? '',
        content,
        metadata,
        ...(row.isError === true ? { error: content } : {}),
      }
    case 'assistant': {
      const calls = wireCalls(row, argumentBytes)
      return { id: row.id, role: 'assistant', metadata, ...(content === '' ? {} : { content }), ...calls }
    }
  }
}

type Queue = readonly { readonly message: MessageRow }[]

/** Messages that wait in the queue, each cut to its share of a frame; its run shows all of it. */
export function toQueueItems(queue: Queue): QueueItem[] {
  const share = textShare(queue)
  return queue.map(({ message: { id, runId, content } }) => ({
    runId,
    clientMessageId: id,
    content: queuedText(content, share),
  }))
}

/** Bytes as JSON that the text of each may take. */
function textShare(queue: Queue): number {
  const ids = queue.reduce((sum, { message: { id, runId } }) => sum + QUEUE_ITEM_BYTES + id.length + runId.length, 0)
  return Math.max(0, Math.floor((MAX_QUEUE_JSON_BYTES - ids) / queue.length))
}

function queuedText(content: string, jsonBytes: number): string {
  let limit = Math.min(MAX_QUEUED_TEXT_BYTES, jsonBytes)
  let text = truncateUtf8(content, limit)
  while (text.length * MAX_ESCAPED_BYTES > jsonBytes && utf8Length(JSON.stringify(text)) - QUOTES > jsonBytes) {
    limit = Math.floor(limit / 2)
    text = truncateUtf8(text, limit)
  }
  return text
}

function wireCalls(row: MessageRow, bytes: number): Pick<Extract<Message, { role: 'assistant' }>, 'toolCalls'> {
  if (row.toolCalls === undefined || row.toolCalls.length === 0) return {}
  return {
    toolCalls: row.toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: truncateUtf8(call.arguments, bytes) },
    })),
  }
}

/** The newest of `rows` (oldest first) that fit one frame; `older` tells that there is more before them. */
export function toPage(rows: readonly MessageRow[], older: boolean, limit = MAX_PAGE_MESSAGES): WirePage {
  const newest = rows.slice(Math.max(0, rows.length - limit))
  const messages = surelyFit(newest) ? newest.map(toWire) : thatFit(newest)
  return { messages, hasMore: older || messages.length < rows.length }
}

/** By lengths alone: nearly every page is far below a frame, and need not be encoded to be measured. */
function surelyFit(rows: readonly MessageRow[]): boolean {
  const most = rows.reduce(
    (sum, { content }) => sum + TEXT_ENVELOPE_BYTES + content.length * MAX_ESCAPED_BYTES,
    ENVELOPE_BYTES,
  )
  return (
    most <= MAX_OUTBOUND_FRAME_BYTES && rows.every(({ role, toolCalls }) => role !== 'tool' && toolCalls === undefined)
  )
}

function thatFit(rows: readonly MessageRow[]): Message[] {
  const messages: Message[] = []
  let bytes = ENVELOPE_BYTES
  for (const row of rows.toReversed()) {
    const message = toWire(row)
    bytes += utf8Length(JSON.stringify(message)) + 1
    if (bytes > MAX_OUTBOUND_FRAME_BYTES && messages.length > 0) break
    messages.push(message)
  }
  return messages.toReversed()
}
