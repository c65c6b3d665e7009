import { SEARCH_DOCUMENTS } from '../ports/documents.ts'
import type { ModelMessage } from '../ports/provider.ts'
import type { StoredToolCall } from '../ports/store.ts'

/** A call as the script wants it made. */
export type PlannedCall = { readonly name: string; readonly args: Readonly<Record<string, unknown>> }

/** The names that the built-in tools have. */
const CALCULATOR = 'calculator'
const CLOCK = 'current_time'
const UNITS = 'unit_converter'
const DATES = 'date_calculator'
const RANDOM = 'random'

/** Numbers that "add up" writes out: about 700 characters of arguments. More are summed as Gauss did. */
export const MAX_SUMMANDS = 200
/** Calls that one message may ask for. */
const MAX_CALLS = 10
const DIE_SIDES = 6

const CALCULATE = /\b(?:calculate|compute|work out)\s+([^?!]+)/i
const PLAIN_SUM = /\bwhat(?:'s| is)\s+([-\d(.](?:%\s*of\b|[-\d\s().+*/^%])*[\d)])/i
/** A comma within parentheses is between a function's arguments. */
const BETWEEN_PARTS = /\s*(?:;|,(?![^(]*\))|\band\b|\bthen\b)\s*/i
const PERCENT_OF = /%\s*of\b/gi
const ADD_UP = /\b(?:add up|sum)(?: the numbers)?(?: from)? (\d{1,6}) to (\d{1,6})/i
const TIME =
  /\b(?:what time is it|what(?:'s| is) the (?:time|date)|what day is it)\b(?:.*?\bin (UTC|[A-Z][\w+-]*(?:\/[\w+-]+)+))?/i
const CONVERT = /\bconvert\s+(-?\d[\d.]*(?:e[-+]?\d+)?)\s*([a-z°%/0-9]+)\s+(?:to|into|in)\s+([a-z°%/0-9]+)/i
const DAYS = /\bdays?\s+(?:between|from)\s+(\d{4}-\d\d-\d\d)\s+(?:and|to|until)\s+(\d{4}-\d\d-\d\d)/i
const ROLL = /\b(?:roll|throw) (?:a |the )?(?:die|dice)\b/i
const RANDOM_NUMBER = /\brandom number\b(?:.*?\b(?:between|from) (-?\d{1,9}) (?:and|to) (-?\d{1,9}))?/i
const UUID = /\buuid\b/i
const LOOK_UP = /\blook up\s+([^?!]{1,200})/i
/** Any tool, with arguments as JSON: for those that an App defines. */
const USE = /^\s*use ([A-Za-z0-9_-]{1,64}) (\{.{0,2000}\})\s*$/s

/** The calls that a message asks for, in a fixed order. */
export function planCalls(text: string): readonly PlannedCall[] {
  return planUse(text) ?? [...planSums(text), ...planTime(text), ...planOthers(text)].slice(0, MAX_CALLS)
}

function planUse(text: string): PlannedCall[] | undefined {
  const [, name, json] = USE.exec(text) ?? []
  if (name === undefined || json === undefined) return undefined
  const args = parseArguments(json)
  return args && [call(name, args)]
}

function parseArguments(json: string): PlannedCall['args'] | undefined {
  try {
    return { ...JSON.parse(json) }
  } catch {
    return undefined
  }
}

function planSums(text: string): PlannedCall[] {
  const [, from, to] = ADD_UP.exec(text) ?? []
  if (from !== undefined && to !== undefined) return [call(CALCULATOR, { expression: toSum(Number(from), Number(to)) })]
  const [, list] = CALCULATE.exec(text) ?? PLAIN_SUM.exec(text) ?? []
  const parts = (list ?? '')
    .split(BETWEEN_PARTS)
    .map((part) => part.replace(/[.\s]+$/, '').replace(PERCENT_OF, '/100*'))
  return parts
    .filter((part) => /^[-\d(.]|^[a-z]+\s*\(/i.test(part))
    .map((expression) => call(CALCULATOR, { expression }))
}

function toSum(from: number, to: number): string {
  const [first, last] = [Math.min(from, to), Math.max(from, to)]
  const count = last - first + 1
  if (count > MAX_SUMMANDS) return `(${first} + ${last}) * ${count} / 2`
  return Array.from({ length: count }, (_, i) => first + i).join('+')
}

function planTime(text: string): PlannedCall[] {
  const match = TIME.exec(text)
  if (match === null) return []
  const [, timeZone] = match
  return [call(CLOCK, timeZone === undefined ? {} : { timeZone })]
}

function planOthers(text: string): PlannedCall[] {
  const calls: PlannedCall[] = []
  const [, value, from, to] = CONVERT.exec(text) ?? []
  if (value !== undefined) calls.push(call(UNITS, { value: Number(value), from, to }))
  const [, start, end] = DAYS.exec(text) ?? []
  if (start !== undefined) calls.push(call(DATES, { operation: 'difference', date: start, until: end }))
  const number = RANDOM_NUMBER.exec(text)
  if (ROLL.test(text)) calls.push(call(RANDOM, { kind: 'integer', min: 1, max: DIE_SIDES }))
  else if (number)
    calls.push(call(RANDOM, { kind: 'integer', min: Number(number[1] ?? 1), max: Number(number[2] ?? 100) }))
  if (UUID.test(text)) calls.push(call(RANDOM, { kind: 'uuid' }))
  const [, query] = LOOK_UP.exec(text) ?? []
  if (query !== undefined) calls.push(call(SEARCH_DOCUMENTS, { query }))
  return calls
}

function call(name: string, args: PlannedCall['args']): PlannedCall {
  return { name, args }
}

/** The answer to the results that end the history; undefined when it does not end in results. */
export function answerResults(messages: readonly ModelMessage[]): string | undefined {
  const lines: string[] = []
  for (const message of messages.toReversed()) {
    if (message.role !== 'tool') break
    const made = findCall(messages, message.toolCallId)
    const said = message.content.trim()
    const name = made?.name ?? 'the tool'
    lines.unshift(message.isError ? `The tool ${name} could not do that: ${said}` : toLine(name, made, said))
  }
  if (lines.length <= 1) return lines[0]
  return `Here is what the tools say:\n\n${lines.map((line) => `- ${line}`).join('\n')}`
}

function findCall(messages: readonly ModelMessage[], id: string): StoredToolCall | undefined {
  return messages
    .flatMap((message) => (message.role === 'assistant' ? message.toolCalls : []))
    .findLast((made) => made.id === id)
}

const EXPRESSION = /"expression":"([^"\\]*)"/
/** Characters of an expression that an answer repeats. */
const MAX_SHOWN = 60

function toLine(name: string, made: StoredToolCall | undefined, said: string): string {
  const [, expression] = name === CALCULATOR ? (EXPRESSION.exec(made?.arguments ?? '') ?? []) : []
  if (expression === undefined) return name === CLOCK ? `It is ${said}.` : said
  return `${expression.length > MAX_SHOWN ? `${expression.slice(0, MAX_SHOWN)}…` : expression} = ${said}`
}
