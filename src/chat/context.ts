import type { ModelMessage, ToolSpec } from '../ports/provider.ts'
import type { MessageRow, StoredToolCall } from '../ports/store.ts'
import { fitsUtf8, truncateUtf8, utf8Length } from '../protocol/text.ts'

/** Bytes of UTF-8 that stand for one token: below what English (4) and code (3.5) take, so that the estimate errs to the safe side. */
const BYTES_PER_TOKEN = 3
/** Tokens of framing around each message. */
const MESSAGE_TOKENS = 8
/** Bytes that a tool result keeps when the conversation has to get shorter. */
const SHORT_RESULT_BYTES = 2 * 1024
/** What a model reads after an answer that a person stopped. */
const INTERRUPTED_MARK = '[This answer was interrupted here.]'
const CUT_MARK = '\n[shortened]'

/** The result of a call that has none because its process died: it must never be executed again. */
export const OUTCOME_UNKNOWN = 'The outcome is unknown: the tool may have run.'

export type ContextLimits = { readonly contextTokens: number; readonly toolResultBytes: number }

/**
 * History as a model may get it (I5): every call with its result, no dangling partial, no empty text, within the budget.
 * Tool results are shortened first, then the oldest whole runs leave; the newest run always stays.
 */
export function buildContext(
  rows: readonly MessageRow[],
  system: string,
  tools: readonly ToolSpec[],
  limits: ContextLimits,
): ModelMessage[] {
  const budget = limits.contextTokens - estimate(system) - estimate(JSON.stringify(tools))
  const runs = groupByRun(rows)
  const whole = runs.map((run) => toModel(run, limits.toolResultBytes))
  const full = fit(whole, budget)
  if (full.length === whole.length) return full.flat()
  const short = runs.map((run, index) =>
    toModel(run, index === runs.length - 1 ? limits.toolResultBytes : SHORT_RESULT_BYTES),
  )
  return fit(short, budget).flat()
}

/** The newest runs that fit. */
function fit(runs: readonly ModelMessage[][], budget: number): ModelMessage[][] {
  let left = budget
  let start = runs.length
  while (start > 0) {
    const cost = (runs[start - 1] ?? []).reduce((sum, message) => sum + estimateMessage(message), 0)
    if (cost > left && start < runs.length) break
    left -= cost
    start--
  }
  return runs.slice(start)
}

function groupByRun(rows: readonly MessageRow[]): MessageRow[][] {
  const runs: MessageRow[][] = []
  for (const row of rows) {
    const current = runs.at(-1)
    if (current !== undefined && current[0]?.runId === row.runId) current.push(row)
    else runs.push([row])
  }
  return runs
}

function toModel(run: readonly MessageRow[], resultBytes: number): ModelMessage[] {
  const results = new Map(run.filter((row) => row.role === 'tool').map((row) => [row.toolCallId, row]))
  const messages: ModelMessage[] = []
  for (const row of run) {
    if (row.role === 'user') messages.push({ role: 'user', content: row.content })
    if (row.role !== 'assistant') continue
    messages.push(...assistantMessages(row))
    for (const call of row.toolCalls ?? []) messages.push(resultOf(call, results.get(call.id), resultBytes))
  }
  return messages
}

function assistantMessages(row: MessageRow): ModelMessage[] {
  const toolCalls = row.toolCalls ?? []
  const mark = row.interrupted === true && toolCalls.length === 0 && row.content !== '' ? `\n\n${INTERRUPTED_MARK}` : ''
  if (row.content.trim() === '' && toolCalls.length === 0) return []
  return [
    {
      role: 'assistant',
      content: row.content + mark,
      toolCalls: toolCalls.map(withValidArguments),
      ...(row.blocks === undefined ? {} : { blocks: row.blocks }),
    },
  ]
}

/** Arguments that were cut in the middle are no JSON; the model sees that none arrived. */
function withValidArguments(call: StoredToolCall): StoredToolCall {
  return parseArguments(call.arguments) === undefined ? { ...call, arguments: '{}' } : call
}

/** A call's arguments as an object; an empty text is no arguments; undefined when it is not a JSON object. */
export function parseArguments(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function resultOf(call: StoredToolCall, row: MessageRow | undefined, limit: number): ModelMessage {
  if (row === undefined) return { role: 'tool', toolCallId: call.id, content: OUTCOME_UNKNOWN, isError: true }
  const content = fitsUtf8(row.content, limit) ? row.content : truncateUtf8(row.content, limit) + CUT_MARK
  return {
    role: 'tool',
    toolCallId: call.id,
    content: content === '' ? '(empty)' : content,
    isError: row.isError === true,
  }
}

function estimate(text: string): number {
  return Math.ceil(utf8Length(text) / BYTES_PER_TOKEN)
}

function estimateMessage(message: ModelMessage): number {
  const calls =
    message.role === 'assistant'
      ? message.toolCalls.reduce((sum, call) => sum + estimate(call.arguments) + MESSAGE_TOKENS, 0)
      : 0
  const blocks =
    message.role === 'assistant' && message.blocks !== undefined ? estimate(JSON.stringify(message.blocks.content)) : 0
  return MESSAGE_TOKENS + Math.max(estimate(message.content) + calls, blocks)
}
