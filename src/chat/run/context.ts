import type { ModelMessage, ToolSpec } from '../../ports/provider.ts'
import type { MessageRow, ProviderBlocks, StoredToolCall } from '../../ports/store.ts'
import { toValidArguments } from '../../ports/tool-arguments.ts'
import { fitsUtf8, isBlank, truncateUtf8, utf8Length } from '../../protocol/text.ts'

/** Bytes of UTF-8 that stand for one token: below what English (4) and code (3.5) take, so that the estimate errs to the safe side. */
const BYTES_PER_TOKEN = 3
/** Tokens of framing around each message. */
const MESSAGE_TOKENS = 8
/** Bytes that a tool result keeps when the conversation has to get shorter. */
const SHORT_RESULT_BYTES = 2 * 1024
/** What a model reads after an answer that a person stopped. */
const INTERRUPTED_MARK = '[This answer was interrupted here.]'
const NO_BLOCKS: Omit<ProviderBlocks, 'provider'> = { content: [] }
const NO_RESULTS: ReadonlyMap<string | undefined, MessageRow> = new Map()
/** What it reads in the place of a question that is older than what memory holds: APIs want a person to begin. */
const OLDER_QUESTION = '[The beginning of this conversation is left out here.]'
const CUT_MARK = '\n[shortened]'

/** The result of a call that has none because its process died: it must never be executed again. */
export const OUTCOME_UNKNOWN = 'The outcome is unknown: the tool may have run.'

export type ContextLimits = { readonly contextTokens: number; readonly toolResultBytes: number }

/**
 * History as a model may get it (I5): every call with its result, no dangling partial, no empty text, within the budget.
 * Tool results of older runs are shortened first, then the oldest whole runs leave. The newest run always stays; where it
 * alone is too long its results are shortened and its oldest rounds leave, never what the person said.
 */
export function buildContext(
  rows: readonly MessageRow[],
  system: string,
  tools: readonly ToolSpec[],
  limits: ContextLimits,
): ModelMessage[] {
  const messages = withinBudget(rows, system, tools, limits)
  // A run that goes on from a long one, in a process that did not hear its question.
  return messages[0]?.role === 'assistant' ? [{ role: 'user', content: OLDER_QUESTION }, ...messages] : messages
}

function withinBudget(
  rows: readonly MessageRow[],
  system: string,
  tools: readonly ToolSpec[],
  limits: ContextLimits,
): ModelMessage[] {
  const budget = limits.contextTokens - estimate(system) - estimate(JSON.stringify(tools))
  const runs = wholeRuns(rows)
  const full = runs.map((run) => toModel(run, limits.toolResultBytes))
  const all = full.flat()
  if (cost(all, mostTokens) <= budget || cost(all) <= budget) return all
  const short = runs.map((run) => toModel(run, Math.min(SHORT_RESULT_BYTES, limits.toolResultBytes)))
  const fitting = fit([...short.slice(0, -1), ...full.slice(-1)], budget)
  const newest = runs.at(-1)
  if (fitting.length > 1 || newest === undefined) return fitting.flat()
  return shortened(newest, limits.toolResultBytes, budget)
}

/** One run within the budget, as far as that goes. */
function shortened(run: readonly MessageRow[], resultBytes: number, budget: number): ModelMessage[] {
  for (let bytes = resultBytes; bytes > SHORT_RESULT_BYTES; bytes /= 2) {
    const messages = toModel(run, bytes)
    if (cost(messages) <= budget) return messages
  }
  const messages = toModel(run, Math.min(SHORT_RESULT_BYTES, resultBytes))
  const starts = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []))
  const said = messages.slice(0, starts[0])
  const newest = starts.at(-1) ?? 0
  const from = starts.find((start) => start === newest || cost([...said, ...messages.slice(start)]) <= budget)
  return from === undefined ? messages : [...said, ...messages.slice(from)]
}

/** Runs that begin with what the person said: the window may cut the oldest one in its middle. */
function wholeRuns(rows: readonly MessageRow[]): MessageRow[][] {
  const runs = groupByRun(rows)
  return runs.length > 1 && runs[0]?.[0]?.role !== 'user' ? runs.slice(1) : runs
}

/** The newest runs that fit. */
function fit(runs: readonly ModelMessage[][], budget: number): ModelMessage[][] {
  let left = budget
  let start = runs.length
  while (start > 0) {
    const price = cost(runs[start - 1] ?? [])
    if (price > left && start < runs.length) break
    left -= price
    start--
  }
  return runs.slice(start)
}

function groupByRun(rows: readonly MessageRow[]): MessageRow[][] {
  const runs: MessageRow[][] = []
  for (const row of rows) {
    const current = runs.at(-1)
    // A run that goes on from the one before says nothing of a person's: it is more of the same answer.
    if (current !== undefined && (current[0]?.runId === row.runId || row.role !== 'user')) current.push(row)
    else runs.push([row])
  }
  return runs
}

function toModel(run: readonly MessageRow[], resultBytes: number): ModelMessage[] {
  const results = resultsIn(run)
  const messages: ModelMessage[] = []
  for (const row of run) {
    if (row.role === 'user') messages.push({ role: 'user', content: row.content })
    if (row.role !== 'assistant') continue
    messages.push(...assistantMessages(row))
    for (const call of row.toolCalls ?? []) messages.push(resultOf(call, results.get(call.id), resultBytes))
  }
  return messages
}

/** By call; most runs have none. */
function resultsIn(run: readonly MessageRow[]): ReadonlyMap<string | undefined, MessageRow> {
  const rows = run.filter(({ role }) => role === 'tool')
  return rows.length === 0 ? NO_RESULTS : new Map(rows.map((row) => [row.toolCallId, row]))
}

function assistantMessages(row: MessageRow): ModelMessage[] {
  const toolCalls = row.toolCalls ?? []
  const content = isBlank(row.content) ? '' : row.content
  if (content === '' && toolCalls.length === 0) return []
  const mark = row.interrupted === true && toolCalls.length === 0 ? `\n\n${INTERRUPTED_MARK}` : ''
  return [
    {
      role: 'assistant',
      content: content + mark,
      toolCalls: toolCalls.map((call) => ({ ...call, arguments: toValidArguments(call.arguments) })),
      ...(row.blocks === undefined ? {} : { blocks: row.blocks }),
    },
  ]
}

function resultOf(call: StoredToolCall, row: MessageRow | undefined, limit: number): ModelMessage {
  if (row === undefined) return { role: 'tool', toolCallId: call.id, content: OUTCOME_UNKNOWN, isError: true }
  const content = fitsUtf8(row.content, limit) ? row.content : truncateUtf8(row.content, limit) + CUT_MARK
  return {
    role: 'tool',
    toolCallId: call.id,
    content: isBlank(content) ? '(empty)' : content,
    isError: row.isError === true,
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** Tokens that a text takes. */
type Measure = (text: string) => number

function cost(messages: readonly ModelMessage[], measure: Measure = estimate): number {
  return sum(messages.map((message) => costOf(message, measure)))
}

function estimate(text: string): number {
  return Math.ceil(utf8Length(text) / BYTES_PER_TOKEN)
}

/** Never less than the estimate, and costs nothing: a unit of UTF-16 takes at most as many bytes as stand for one token. */
function mostTokens(text: string): number {
  return text.length
}

function costOf(message: ModelMessage, measure: Measure): number {
  const calls =
    message.role === 'assistant' ? sum(message.toolCalls.map((call) => measure(call.arguments) + MESSAGE_TOKENS)) : 0
  const said = measure(message.content) + calls
  const { content, beside } = (message.role === 'assistant' && message.blocks) || NO_BLOCKS
  const blocks = content.length === 0 ? 0 : measure(JSON.stringify(content))
  return MESSAGE_TOKENS + (beside ? said + blocks : Math.max(said, blocks))
}
