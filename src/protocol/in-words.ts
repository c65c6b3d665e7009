import * as v from 'valibot'

type Issue = v.BaseIssue<unknown>
/** What a name that means nothing is called: bodies and frames have fields, addresses have parameters. */
type Part = 'field' | 'parameter'

export const MUST_BE_TIME = 'must be a time like 2026-01-31T00:00:00Z'
export const MUST_BE_DATE = 'must be a date like 2026-01-31'

/** For `safeParse`: what a schema has no sentence of its own for is told in ours. None repeats a value: it may be a secret. */
export const IN_WORDS = { message: (issue: Issue) => tell(issue, 'field') } as const
/** The same, and the first fault is enough. */
export const FIRST_IN_WORDS = { ...IN_WORDS, abortEarly: true } as const
/** The same as `IN_WORDS` for what stands in an address. */
export const PARAMETERS_IN_WORDS = { message: (issue: Issue) => tell(issue, 'parameter') } as const

function tell(issue: Issue, part: Part): string {
  const { kind, type, expected, received, requirement } = issue
  // Only of what is not there: a text that says so is received in quotes.
  if (received === 'undefined') return 'is missing'
  if (type === 'strict_object' && expected === 'never') return `unknown ${part}`
  const closest = type === 'union' ? issue.issues?.find(isPastType) : undefined
  if (closest !== undefined) return placed(closest)
  if (kind === 'schema') return `must be ${alternatives(expected ?? '')}`
  const unit = typeof issue.input === 'string' ? 'characters' : 'entries'
  return RULES[type]?.(Number(requirement), unit) ?? 'is not right'
}

/** True of what is wrong inside one alternative of several, where the value is of its kind. */
function isPastType({ kind, path }: Issue): boolean {
  return kind === 'validation' || path !== undefined
}

function placed(issue: Issue): string {
  const path = v.getDotPath(issue)
  return path === null ? issue.message : `${path}: ${issue.message}`
}

const whole = () => 'must be a whole number'

/** By the type of a rule; `bound` is NaN where it has none. */
const RULES: Readonly<Record<string, (bound: number, unit: string) => string>> = {
  min_value: (bound) => `must be at least ${bound}`,
  max_value: (bound) => `must be at most ${bound}`,
  min_length: (bound, unit) => (bound === 1 ? 'must not be empty' : `must have at least ${bound} ${unit}`),
  max_length: (bound, unit) => `must have at most ${bound} ${unit}`,
  integer: whole,
  safe_integer: whole,
  finite: () => 'must be a finite number',
  iso_timestamp: () => MUST_BE_TIME,
  iso_date: () => MUST_BE_DATE,
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['string', 'a string'],
  ['number', 'a number'],
  ['boolean', 'true or false'],
  ['Array', 'an array'],
  ['Object', 'an object'],
  ['never', 'absent'],
])

/** `("a" | "b")` -> one of a, b; `(string | Array)` -> a string or an array. */
function alternatives(expected: string): string {
  const all = [...new Set(expected.replaceAll(/[()]/g, '').split(' | '))]
  const isChoice = all.length > 1 && all.every((one) => !KINDS.has(one))
  if (isChoice) return `one of ${all.map(bare).join(', ')}`
  return all.map((one) => KINDS.get(one) ?? bare(one)).join(' or ')
}

function bare(literal: string): string {
  return literal.replaceAll('"', '')
}
