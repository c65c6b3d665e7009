import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { decodeAlias } from '../../src/protocol/aliases.ts'
import { check } from '../../src/protocol/check.ts'
import { ApprovalSchema } from '../../src/protocol/commands.ts'
import { IN_WORDS, PARAMETERS_IN_WORDS } from '../../src/protocol/in-words.ts'

const SECRET = 'hunter2'

/** What is said of `value`, by place. */
function said(schema: v.GenericSchema, value: unknown, words: typeof IN_WORDS = IN_WORDS): string[] {
  const { issues = [] } = v.safeParse(schema, value, words)
  return issues.map((issue) => `${v.getDotPath(issue) ?? ''}: ${issue.message}`)
}

const Text = v.pipe(v.string(), v.minLength(3), v.maxLength(5))
const Items = v.pipe(v.array(v.unknown()), v.minLength(1), v.maxLength(2))
const Count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(9))
const Choice = v.picklist(['read', 'write'])
const Named = v.strictObject({ name: v.string() })
const Tool = v.variant('type', [
  v.strictObject({ type: v.literal('own'), size: v.number() }),
  v.strictObject({ type: v.literal('page') }),
])

/** Each: the schema, a value that it refuses, and what is said of it. */
const REFUSED: readonly (readonly [v.GenericSchema, unknown, string])[] = [
  [v.string(), 7, ': must be a string'],
  [v.number(), SECRET, ': must be a number'],
  [v.number(), 'undefined', ': must be a number'],
  [v.boolean(), SECRET, ': must be true or false'],
  [v.array(v.string()), SECRET, ': must be an array'],
  [v.object({}), SECRET, ': must be an object'],
  [v.record(v.string(), v.string()), SECRET, ': must be an object'],
  [Named, {}, 'name: is missing'],
  [Named, { name: 'a', nam: SECRET }, 'nam: unknown field'],
  [Choice, SECRET, ': must be one of read, write'],
  [v.literal('own'), SECRET, ': must be own'],
  [v.literal(true), SECRET, ': must be true'],
  [Text, SECRET, ': must have at most 5 characters'],
  [Text, '', ': must have at least 3 characters'],
  [v.pipe(v.string(), v.minLength(1)), '', ': must not be empty'],
  [Items, [], ': must not be empty'],
  [Items, [SECRET, 2, 3], ': must have at most 2 entries'],
  [Count, 0, ': must be at least 1'],
  [Count, 10, ': must be at most 9'],
  [Count, 1.5, ': must be a whole number'],
  [v.pipe(v.number(), v.safeInteger()), 1e300, ': must be a whole number'],
  [v.pipe(v.string(), v.isoTimestamp()), SECRET, ': must be a time like 2026-01-31T00:00:00Z'],
  [v.pipe(v.string(), v.isoDate()), SECRET, ': must be a date like 2026-01-31'],
  [v.pipe(v.string(), v.regex(/^a$/)), SECRET, ': is not right'],
  [v.union([v.string(), v.array(v.string())]), 7, ': must be a string or an array'],
  [v.nullable(v.string()), 7, ': must be a string'],
  [Tool, { type: SECRET }, 'type: must be one of own, page'],
  [v.union([v.string(), Tool]), { type: 'own', size: SECRET }, ': size: must be a number'],
  [v.union([v.string(), Tool]), { type: 'page', sise: SECRET }, ': sise: unknown field'],
]

describe('a value that is refused', () => {
  it.each(REFUSED)('is told what is allowed, in words that do not repeat it (%#)', (schema, value, sentence) => {
    expect(said(schema, value)).toEqual([sentence])
    expect(sentence).not.toContain(SECRET)
  })

  it('is told in the words of its schema, if that has any', () => {
    const schema = v.object({ id: v.pipe(v.string('must be an id'), v.regex(/^a+$/, 'must be a few a')) })
    expect([said(schema, { id: 7 }), said(schema, { id: 'b' })]).toEqual([
      ['id: must be an id'],
      ['id: must be a few a'],
    ])
  })

  it('in an address has parameters for fields', () => {
    expect(said(Named, { name: 'a', nam: SECRET }, PARAMETERS_IN_WORDS)).toEqual(['nam: unknown parameter'])
  })

  it('inside another is told with its place from there', () => {
    expect(() => check(ApprovalSchema, { approved: SECRET }, 'payload')).toThrow(
      'payload.approved: must be true or false',
    )
    expect(() => check(ApprovalSchema, SECRET, 'payload')).toThrow('payload: must be an object')
  })

  it.each([
    [[{ interruptId: '', status: 'resolved' }], 'resume.0.interruptId: must not be empty'],
    [[{ interruptId: 'a', status: SECRET }], 'resume: 0.status: must be one of resolved, cancelled'],
  ])('in a RunAgentInput is told in the same words: %j', (resume, message) => {
    const decoded = decodeAlias(JSON.stringify({ threadId: 't', runId: 'r', messages: [], resume }))
    expect(decoded.ok ? '' : decoded.error.message).toBe(message)
  })
})
