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

/** Messages that change no more, as JSON between commas. */
type Settled = { readonly rows: readonly MessageRow[]; readonly json: string }
type Kept = { readonly version: string; readonly text: string; readonly settled: Settled }

export type Text = { readonly version: string; readonly text: string; readonly snapshot: Snapshot }

/**
 * The part of a snapshot that is the same for every client, as JSON without its last brace: made once a version, and of what was
 * said before the run that is on only once.
 */
export class SnapshotTexts {
  readonly #texts = new LRUCache<string, Kept>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ text, settled }) => text.length + settled.json.length + 1,
  })

  async of(conversation: Conversation): Promise<Text> {
    const { id } = conversation
    const snapshot = await conversation.snapshot((version) => this.#texts.peek(id)?.version !== version)
    const { version, messages } = snapshot
    const known = this.#texts.get(id)
    if (messages === undefined && known !== undefined) return { version, text: known.text, snapshot }
    const kept = { version, ...textOf(id, snapshot, messages ?? [], known?.settled) }
    this.#texts.set(id, kept)
    return { version, text: kept.text, snapshot }
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

function textOf(
  sessionId: string,
  snapshot: Snapshot,
  rows: readonly MessageRow[],
  known: Settled | undefined,
): Omit<Kept, 'version'> {
  const { record, status, runId, growing } = snapshot
  const head = JSON.stringify({
    session_id: sessionId,
    title: record.title ?? NO_TITLE,
    is_processing: status === 'processing',
    status,
    run_id: runId ?? null,
  })
  const tools = new Map(rows.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id, name }) => [id, name] as const)))
  const encode = (some: readonly MessageRow[]): string => listed(some.flatMap((row) => messageOf(row, tools, growing)))
  const moving = runId === undefined ? rows.length : rows.findIndex((row) => row.runId === runId)
  const settled = settledOf(moving < 0 ? rows : rows.slice(0, moving), known, encode)
  const parts = [settled.json, encode(rows.slice(settled.rows.length)), listed(failureOf(snapshot))]
  const messages = parts.filter((part) => part !== '').join(',')
  return { text: `${head.slice(0, -1)},"messages":[${messages}]`, settled }
}

/** Rows are replaced when they change, never changed in place. */
function settledOf(
  rows: readonly MessageRow[],
  known: Settled | undefined,
  encode: (rows: readonly MessageRow[]) => string,
): Settled {
  if (known?.rows.every((row, index) => row === rows[index]) !== true) return { rows, json: encode(rows) }
  if (known.rows.length === rows.length) return known
  const more = encode(rows.slice(known.rows.length))
  return { rows, json: known.json === '' || more === '' ? known.json + more : `${known.json},${more}` }
}

/** JSON of a list without its brackets. */
function listed(messages: readonly AomiMessage[]): string {
  return JSON.stringify(messages).slice(1, -1)
}

/** What a tool gave is a message of its own; what the model thought is not shown. */
function messageOf(
  row: MessageRow,
  tools: ReadonlyMap<string, string>,
  growing: string | undefined,
): readonly AomiMessage[] {
  const { role, content } = row
  if (role === 'reasoning' || (role === 'assistant' && content === '')) return []
  const timestamp = new Date(row.createdAt).toISOString()
  if (role === 'user') return [{ sender: 'user', content, timestamp, is_streaming: false, tool_result: null }]
  if (role === 'assistant')
    return [{ sender: 'agent', content, timestamp, is_streaming: row.id === growing, tool_result: null }]
  const name = tools.get(row.toolCallId ?? '') ?? ''
  return [{ sender: 'agent', content: '', timestamp, is_streaming: false, tool_result: [name, content] }]
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
