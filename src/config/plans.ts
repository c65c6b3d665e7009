import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import type { Plan } from '../ports/accounts.ts'
import { IN_WORDS } from '../protocol/in-words.ts'

/** Those of the contract that clients of AImyChats know. */
const STANDARD: Readonly<Record<string, Plan>> = {
  free: { perHour: 100, perMinute: 10 },
  starter: { perHour: 500, perMinute: 50 },
  standard: { perHour: 2000, perMinute: 100 },
  pro: { perHour: 10_000, perMinute: 500 },
}
/** Words of the command line that are no plan's name. */
const TAKEN = ['none', 'default']
/** Characters of the JSON: hundreds of plans. */
const MAX_LENGTH = 64 * 1024
/** A number above it is a slip of the hand. */
const MAX_COUNT = 1e9

const Count = v.pipe(
  v.number('must be a whole number'),
  v.integer('must be a whole number'),
  v.minValue(1, 'must be at least 1'),
  v.maxValue(MAX_COUNT, `must be at most ${MAX_COUNT}`),
)
const Name = v.pipe(
  v.string(),
  v.regex(/^[a-z][a-z0-9-]{0,31}$/, 'names of plans are 1 to 32 lower-case letters, digits and hyphens'),
  v.check((name) => !TAKEN.includes(name), `${TAKEN.join(' and ')} are no names of plans`),
)
const PlansSchema = v.pipe(
  v.record(Name, v.strictObject({ perHour: Count, perMinute: Count })),
  v.check((plans) => Object.keys(plans).length > 0, 'names no plan'),
)

export type ReadPlans = {
  readonly plans: ReadonlyMap<string, Plan>
  /** A line for each thing that is wrong. */
  readonly faults: readonly string[]
}

/** Plans by name: of `text`, JSON or the path of a file with it, which takes the place of all standard ones. */
export function readPlans(text: string | undefined): ReadPlans {
  if (text === undefined) return { plans: new Map(Object.entries(STANDARD)), faults: [] }
  const json = jsonOf(text)
  if ('fault' in json) return { plans: new Map(), faults: [`PARLEY_PLANS ${json.fault}`] }
  const parsed = v.safeParse(PlansSchema, json.value, IN_WORDS)
  if (!parsed.success) return { plans: new Map(), faults: parsed.issues.map((issue) => `PARLEY_PLANS ${told(issue)}`) }
  return { plans: new Map(Object.entries(parsed.output)), faults: [] }
}

function jsonOf(text: string): { readonly value: unknown } | { readonly fault: string } {
  const isInline = text.trimStart().startsWith('{')
  const read = isInline ? text : readText(text)
  if (read === undefined) return { fault: 'names a file that cannot be read' }
  if (read.length > MAX_LENGTH) return { fault: `is longer than ${MAX_LENGTH} characters` }
  try {
    return { value: JSON.parse(read) }
  } catch {
    return { fault: `${isInline ? 'is' : 'names a file that is'} not JSON, such as ${EXAMPLE}` }
  }
}

const EXAMPLE = '{"free": {"perHour": 100, "perMinute": 10}}'

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function told(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue)
  const at = place === null ? '' : `${place}: `
  const example = issue.expected === 'Object' ? `, such as ${EXAMPLE}` : ''
  return `${at}${issue.message}${example}`
}
