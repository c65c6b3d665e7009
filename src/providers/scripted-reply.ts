import { type ModelMessage, type ModelRequest, type StopReason, TITLE_PROMPT } from '../ports/provider.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import * as says from './scripted-texts.ts'
import { answerResults, type PlannedCall, planCalls } from './scripted-tools.ts'

/** What an answer does, one after the other. An answer ends with `stop`, with a failure, or never. */
export type Step =
  | { readonly step: 'say' | 'reason'; readonly text: string }
  /** One number per token, slowly. */
  | { readonly step: 'count'; readonly from: number; readonly to: number }
  | { readonly step: 'call'; readonly call: PlannedCall }
  | { readonly step: 'fail'; readonly code: ErrorCode }
  | { readonly step: 'stall' }
  | { readonly step: 'stop'; readonly reason: StopReason }

const TITLE_WORDS = 5

/**
 * Characters of a message that are looked at: a call with all its arguments. Some patterns take the square of the length, and
 * 32 KiB of commas would hold up everybody for seconds.
 */
const MAX_HEARD = 2200

/** Numbers in one answer: eight minutes of counting. */
const MAX_COUNT = 10_000

type Pattern = readonly [RegExp, (match: RegExpExecArray, request: ModelRequest) => readonly Step[]]

const REMEMBER = /^\s*(?:please |can you |could you )?remember\s+(?:that\s+)?(.{1,200}?)[.!]*$/i
const FAIL_CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ['overloaded', 'provider_overloaded'],
  ['misconfigured', 'provider_misconfigured'],
])

/** The first that matches answers. Tools come between the commands and the small talk. */
const COMMANDS: readonly Pattern[] = [
  [/^\s*(?:help\b|\?|what can you do)/i, () => say(says.HELP)],
  [/^\s*stall\b/i, () => [{ step: 'stall' }]],
  [
    /^\s*fail\b\s*(\w*)/i,
    ([, kind]) => [
      { step: 'say', text: says.FAILING },
      { step: 'fail', code: toFailure(kind) },
    ],
  ],
  [
    /^\s*refuse\b/i,
    () => [
      { step: 'say', text: says.REFUSING },
      { step: 'stop', reason: 'refusal' },
    ],
  ],
  [
    /\bcount (?:slowly )?(?:from )?(-?\d{1,9}) (?:up |down )?to (-?\d{1,9})/i,
    ([, from, to]) => count(Number(from), Number(to)),
  ],
  [/\bwhat\b.*\bremember\b/i, (_, { messages }) => say(recall(messages))],
  [REMEMBER, ([, what]) => say(says.REMEMBERED(what ?? ''))],
]

const TALK: readonly Pattern[] = [
  [/\b(?:think|reason)\b/i, () => [{ step: 'reason', text: says.REASONING }, ...say(says.REASONED)]],
  [/\bmarkdown\b/i, () => say(says.MARKDOWN)],
  [/\b(?:who|what) are you\b|\bare you (?:an? )?(?:ai|human|real|bot|person|model)\b/i, () => say(says.IDENTITY)],
  [/^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening))\b/i, () => say(says.GREETING)],
]

/** The answer to a request, by nothing but the request. */
export function replyTo(request: ModelRequest): readonly Step[] {
  const results = answerResults(request.messages)
  if (results !== undefined) return say(results)
  const last = request.messages.at(-1)
  const text = last?.role === 'user' ? last.content.slice(0, MAX_HEARD) : ''
  if (request.tools.length === 0 && text.startsWith(TITLE_PROMPT)) return say(toTitle(text.slice(TITLE_PROMPT.length)))
  return (
    matching(COMMANDS, text, request) ?? callTools(text, request) ?? matching(TALK, text, request) ?? say(says.FALLBACK)
  )
}

function matching(patterns: readonly Pattern[], text: string, request: ModelRequest): readonly Step[] | undefined {
  for (const [pattern, answer] of patterns) {
    const match = pattern.exec(text)
    if (match !== null) return answer(match, request)
  }
  return undefined
}

function say(text: string): readonly Step[] {
  return [
    { step: 'say', text },
    { step: 'stop', reason: 'end' },
  ]
}

function toFailure(kind: string | undefined): ErrorCode {
  return FAIL_CODES.get(kind?.toLowerCase() ?? '') ?? 'provider_error'
}

function count(from: number, to: number): readonly Step[] {
  if (Math.abs(to - from) >= MAX_COUNT) return say(says.TOO_MANY(MAX_COUNT))
  return [
    { step: 'count', from, to },
    { step: 'stop', reason: 'end' },
  ]
}

/** The last thing that a person asked to remember, as the history has it. */
function recall(messages: readonly ModelMessage[]): string {
  for (const message of messages.slice(0, -1).toReversed()) {
    const [, what] = message.role === 'user' ? (REMEMBER.exec(message.content.slice(0, MAX_HEARD)) ?? []) : []
    if (what !== undefined) return says.RECALLED(what)
  }
  return says.FORGOTTEN
}

/** Only tools that this request gives: another is named instead of called. */
function callTools(text: string, { tools }: ModelRequest): readonly Step[] | undefined {
  const planned = planCalls(text)
  if (planned.length === 0) return undefined
  const calls = planned.filter(({ name }) => tools.some((tool) => tool.name === name))
  const [first] = planned
  if (calls.length === 0) return say(says.NO_TOOL(first?.name ?? ''))
  return [
    { step: 'say', text: 'Let me see.' },
    ...calls.map((call): Step => ({ step: 'call', call })),
    { step: 'stop', reason: 'tools' },
  ]
}

function toTitle(text: string): string {
  const words = text.match(/[\p{L}\p{N}]+/gu) ?? []
  const title = words.slice(0, TITLE_WORDS).map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())
  return title.length === 0 ? 'Conversation' : title.join(' ')
}
