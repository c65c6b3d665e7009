import { LRUCache } from 'lru-cache'
import type { Conversation, Snapshot } from '../../ports/conversations.ts'
import type { MessageRow } from '../../ports/store.ts'
import { ERRORS, isErrorCode } from '../../protocol/errors.ts'

/** Bytes of texts that are kept: some hundred sessions that are polled while they work. */
const MAX_BYTES = 16 * 1024 * 1024
/** A title that clients take for none. */
export const NO_TITLE = 'New Chat'

/** A message as Aomi's clients show it. Times are ISO 8601. */
export type AomiMessage = {
  readonly sender: 'user' | 'agent' | 'system'
  readonly content: string
  readonly timestamp: string
  readonly is_streaming: boolean
  /** The tool's name and what it gave. */
  readonly tool_result: readonly [string, string] | null
}

export type Text = { readonly version: string; readonly text: string; readonly snapshot: Snapshot }

/** The part of a snapshot that is the same for every client, as JSON without its last brace: made once a version. */
export class SnapshotTexts {
  readonly #texts = new LRUCache<string, { readonly version: string; readonly text: string }>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ text }) => text.length + 1,
  })

  async of(conversation: Conversation): Promise<Text> {
    const { id } = conversation
    const snapshot = await conversation.snapshot((version) => this.#texts.peek(id)?.version !== version)
    const { version, messages } = snapshot
    const known = this.#texts.get(id)
    if (messages === undefined && known !== undefined) return { version, text: known.text, snapshot }
    const text = JSON.stringify(bodyOf(id, snapshot, messages ?? [])).slice(0, -1)
    this.#texts.set(id, { version, text })
    return { version, text, snapshot }
  }

  forget(sessionId: string): void {
    this.#texts.delete(sessionId)
  }

  clear(): void {
    this.#texts.clear()
  }
}

/** Of a session that nobody made. */
export function emptyBody(sessionId: string): Readonly<Record<string, unknown>> {
  return { session_id: sessionId, title: null, is_processing: false, status: 'idle', messages: [] }
}

function bodyOf(sessionId: string, snapshot: Snapshot, rows: readonly MessageRow[]): Readonly<Record<string, unknown>> {
  const { record, status, runId } = snapshot
  return {
    session_id: sessionId,
    title: record.title ?? NO_TITLE,
    is_processing: status === 'processing',
    status,
    run_id: runId ?? null,
    messages: [...messagesOf(rows, snapshot.growing), ...failureOf(snapshot)],
  }
}

/** What a tool gave is a message of its own; what the model thought is not shown. */
function messagesOf(rows: readonly MessageRow[], growing: string | undefined): AomiMessage[] {
  const tools = new Map<string, string>()
  return rows.flatMap((row): AomiMessage[] => {
    for (const { id, name } of row.toolCalls ?? []) tools.set(id, name)
    const timestamp = new Date(row.createdAt).toISOString()
    switch (row.role) {
      case 'user':
        return [{ sender: 'user', content: row.content, timestamp, is_streaming: false, tool_result: null }]
      case 'assistant':
        if (row.content === '') return []
        return [
          { sender: 'agent', content: row.content, timestamp, is_streaming: row.id === growing, tool_result: null },
        ]
      case 'tool': {
        const name = tools.get(row.toolCallId ?? '') ?? ''
        return [{ sender: 'agent', content: '', timestamp, is_streaming: false, tool_result: [name, row.content] }]
      }
      case 'reasoning':
        return []
    }
  })
}

/** These clients show no error but what an agent says. */
function failureOf({ lastRun, runId, record }: Snapshot): AomiMessage[] {
  if (lastRun?.outcome !== 'error' || runId !== undefined) return []
  const timestamp = new Date(record.updatedAt).toISOString()
  return [{ sender: 'agent', content: failureText(lastRun.code), timestamp, is_streaming: false, tool_result: null }]
}

export function failureText(code = ''): string {
  return isErrorCode(code) ? ERRORS[code].message : ERRORS.internal_error.message
}
