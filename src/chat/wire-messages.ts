import type { MessageRow } from '../ports/store.ts'
import { MAX_OUTBOUND_FRAME_BYTES, MAX_PAGE_MESSAGES, MAX_WIRE_TOOL_RESULT_BYTES } from '../protocol/limits.ts'
import type { Message } from '../protocol/messages.ts'
import { fitsUtf8, truncateUtf8, utf8Length } from '../protocol/text.ts'

/** Bytes of a page's frame that its envelope may take. */
const ENVELOPE_BYTES = 1024
/** Bytes of text in one message of a page: with all its escapes it still fits a frame. */
const MAX_PAGE_TEXT_BYTES = 96 * 1024

export type WirePage = { readonly messages: Message[]; readonly hasMore: boolean }

/** A stored message in AG-UI's shape, what is too long for the wire cut and marked. */
export function toWire(row: MessageRow): Message {
  const limit = row.role === 'tool' ? MAX_WIRE_TOOL_RESULT_BYTES : MAX_PAGE_TEXT_BYTES
  const cut = !fitsUtf8(row.content, limit)
  const content = cut ? truncateUtf8(row.content, limit) : row.content
  const metadata = {
    runId: row.runId,
    createdAt: new Date(row.createdAt).toISOString(),
    ...(row.interrupted === true ? { interrupted: true as const } : {}),
    ...(cut ? { truncated: true as const } : {}),
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
    case 'assistant':
      return { id: row.id, role: 'assistant', metadata, ...(content === '' ? {} : { content }), ...wireCalls(row) }
  }
}

function wireCalls(row: MessageRow): Pick<Extract<Message, { role: 'assistant' }>, 'toolCalls'> {
  if (row.toolCalls === undefined || row.toolCalls.length === 0) return {}
  return {
    toolCalls: row.toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: truncateUtf8(call.arguments, MAX_WIRE_TOOL_RESULT_BYTES) },
    })),
  }
}

/** The newest of `rows` (oldest first) that fit one frame; `older` tells that there is more before them. */
export function toPage(rows: readonly MessageRow[], older: boolean, limit = MAX_PAGE_MESSAGES): WirePage {
  const messages: Message[] = []
  let bytes = ENVELOPE_BYTES
  for (let index = rows.length - 1; index >= 0; index--) {
    const row = rows[index]
    if (row === undefined || messages.length >= limit) break
    const message = toWire(row)
    bytes += utf8Length(JSON.stringify(message)) + 1
    if (bytes > MAX_OUTBOUND_FRAME_BYTES && messages.length > 0) break
    messages.push(message)
  }
  messages.reverse()
  return { messages, hasMore: older || messages.length < rows.length }
}
