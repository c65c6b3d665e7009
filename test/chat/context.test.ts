import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildContext, OUTCOME_UNKNOWN } from '../../src/chat/run/context.ts'
import type { ModelMessage } from '../../src/ports/provider.ts'
import type { MessageRow } from '../../src/ports/store.ts'
import { faultsOf } from '../support/model-audit.ts'

const WIDE = { contextTokens: 100_000, toolResultBytes: 64 * 1024 }
/** The budget is counted in thirds of a byte and a little framing; the test only needs its size. */
const bytesOf = (messages: readonly ModelMessage[]) =>
  messages.reduce((sum, { content }) => sum + new TextEncoder().encode(content).length, 0)

type Line = Partial<MessageRow> & Pick<MessageRow, 'role'>
const user = (content: string): Line => ({ role: 'user', content })
const answer = (content: string, fields: Partial<MessageRow> = {}): Line => ({ role: 'assistant', content, ...fields })
const calls = (...ids: string[]): Line =>
  answer('', { toolCalls: ids.map((id) => ({ id, name: 'n', arguments: '{}' })) })
const result = (toolCallId: string, content: string, fields: Partial<MessageRow> = {}): Line => {
  return { role: 'tool', toolCallId, content, ...fields }
}

function rows(...runs: readonly (readonly Line[])[]): MessageRow[] {
  return runs.flatMap((run, nth) =>
    run.map((line, index) => {
      return { id: `${nth}-${index}`, sessionId: 's', runId: `r${nth}`, index, createdAt: 0, content: '', ...line }
    }),
  )
}

const build = (all: readonly MessageRow[], limits: Partial<typeof WIDE> = {}) =>
  buildContext(all, 'Be brief.', [], { ...WIDE, ...limits })
const said = (messages: readonly ModelMessage[]) => messages.map(({ content }) => content.slice(0, 12))

describe('I5: the context of a request', () => {
  it('gives each call its result right behind it, in the order of the calls', () => {
    const messages = build(
      rows([user('q'), calls('a', 'b'), result('b', '2'), result('a', '1', { isError: true }), answer('x')]),
    )
    expect(messages.slice(2)).toEqual([
      { role: 'tool', toolCallId: 'a', content: '1', isError: true },
      { role: 'tool', toolCallId: 'b', content: '2', isError: false },
      { role: 'assistant', content: 'x', toolCalls: [] },
    ])
  })

  it('keeps a run that goes on from another with it: together in, together out', () => {
    const long = 'x'.repeat(3000)
    const chain = rows(
      [user('old'), calls('a'), result('a', '1')],
      [answer(`went on ${long}`)],
      [user('new'), answer('y')],
    )
    expect(build(chain).map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'tool',
      'assistant',
      'user',
      'assistant',
    ])
    expect(said(build(chain, { contextTokens: 500 }))).toEqual(['new', 'y'])
  })

  it('gives a call that has no result one that says so', () => {
    const messages = build(rows([user('q'), calls('a')]))
    expect(messages.at(-1)).toEqual({ role: 'tool', toolCallId: 'a', content: OUTCOME_UNKNOWN, isError: true })
  })

  it('leaves reasoning and answers without a word out, and marks what was interrupted', () => {
    const messages = build(
      rows(
        [user('one'), { role: 'reasoning', content: 'hm' }, answer(' \n')],
        [user('two'), answer('half', { interrupted: true })],
        [user('three')],
      ),
    )
    expect(messages.map(({ role }) => role)).toEqual(['user', 'user', 'assistant', 'user'])
    expect(messages[2]?.content).toMatch(/^half\n\n\[.*interrupted.*\]$/)
  })

  it('I5: gives arguments without half characters and NUL, whose escapes APIs refuse', () => {
    const call = { id: 'a', name: 'n', arguments: '{"x":"\\ud83e","\\u0000":"\\ud83e\\udd9c"}' }
    expect(build(rows([user('q'), answer('', { toolCalls: [call] })]))[1]).toMatchObject({
      toolCalls: [{ arguments: '{"x":"\\ufffd","\\ufffd":"\\ud83e\\udd9c"}' }],
    })
  })

  it('I5: gives arguments that are too deep to be written as JSON as none', () => {
    const deep = (depth: number) => `{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`
    const given = [99, 100, 20_000].map((depth) => {
      const call = { id: 'a', name: 'n', arguments: deep(depth) }
      const [, said] = build(rows([user('q'), answer('', { toolCalls: [call] })]))
      return said?.role === 'assistant' ? said.toolCalls[0]?.arguments : undefined
    })
    expect(given).toEqual([deep(99), '{}', '{}'])
  })

  it('gives arguments that are no object as none', () => {
    const cut = answer('', { toolCalls: [{ id: 'a', name: 'n', arguments: '{"x":' }] })
    expect(build(rows([user('q'), cut]))[1]).toMatchObject({ toolCalls: [{ arguments: '{}' }] })
  })

  it('lets the oldest whole runs go first; the newest stays', () => {
    const long = 'x'.repeat(900)
    const talk = rows([user(`1 ${long}`), answer('a1')], [user(`2 ${long}`), answer('a2')], [user(`3 ${long}`)])
    expect(said(build(talk, { contextTokens: 720 }))).toEqual(['2 xxxxxxxxxx', 'a2', '3 xxxxxxxxxx'])
    expect(said(build(talk, { contextTokens: 400 }))).toEqual(['3 xxxxxxxxxx'])
    expect(said(build(talk, { contextTokens: 10 }))).toEqual(['3 xxxxxxxxxx'])
  })

  it('counts the preamble and the tools', () => {
    const talk = rows([user('1'), answer('a1')], [user('2')])
    const tool = { name: 'n', description: 'd'.repeat(3000), parameters: {} }
    expect(buildContext(talk, '', [], { ...WIDE, contextTokens: 500 })).toHaveLength(3)
    expect(buildContext(talk, 'p'.repeat(3000), [], { ...WIDE, contextTokens: 500 })).toHaveLength(1)
    expect(buildContext(talk, '', [tool], { ...WIDE, contextTokens: 500 })).toHaveLength(1)
  })

  it("counts a provider's blocks in the place of what was said, and those beside it on top", () => {
    const thought = { provider: 'p', content: ['t'.repeat(600)] }
    const talk = (blocks: NonNullable<MessageRow['blocks']>) =>
      build(rows([user('old'), answer('a'.repeat(600), { blocks })], [user('new')]), { contextTokens: 300 })
    expect(said(talk(thought))).toEqual(['old', 'aaaaaaaaaaaa', 'new'])
    expect(said(talk({ ...thought, beside: true }))).toEqual(['new'])
  })

  it('shortens results of older runs before it lets a run go', () => {
    const talk = rows([user('1'), calls('a'), result('a', 'y'.repeat(30_000)), answer('a1')], [user('2')])
    const messages = build(talk, { contextTokens: 2000 })
    expect(messages).toHaveLength(5)
    expect(messages[2]?.content).toMatch(/^y{2048}\n\[shortened\]$/)
  })

  it('never gives a result above its own limit, and cuts between characters', () => {
    const messages = build(rows([user('1'), calls('a'), result('a', '🦜'.repeat(100))]), { toolResultBytes: 10 })
    expect(messages[2]?.content).toBe('🦜🦜\n[shortened]')
  })

  it('shortens the results of a run that alone is too long', () => {
    const talk = rows([user('q'), calls('a'), result('a', 'y'.repeat(60_000))])
    const messages = build(talk, { contextTokens: 8000 })
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
    expect(bytesOf(messages)).toBeLessThan(8000 * 3)
    expect(bytesOf(messages)).toBeGreaterThan(8000)
  })

  it('lets the oldest rounds of a run go that is too long even so, never the question', () => {
    const rounds = Array.from({ length: 20 }, (_, nth) => [
      calls(`c${nth}`),
      result(`c${nth}`, 'y'.repeat(60_000)),
    ]).flat()
    const messages = build(rows([user('q'), ...rounds]), { contextTokens: 5000 })
    expect(messages[0]).toEqual({ role: 'user', content: 'q' })
    expect(messages.at(-1)).toMatchObject({ role: 'tool', toolCallId: 'c19' })
    expect(messages.length).toBeGreaterThan(3)
    expect(bytesOf(messages)).toBeLessThan(5000 * 3)
    expect(faultsOf({ messages })).toEqual([])
  })

  it('begins with what a person said, also where the window cut a run', () => {
    const [, ...cut] = rows([user('1'), calls('a'), result('a', 'x'), answer('a1')], [user('2')])
    expect(said(build(cut))).toEqual(['2'])
  })

  it('is valid and fits, whatever was said and kept', () => {
    const Row = fc.record({
      content: fc.oneof(fc.constantFrom('', ' ', 'word'), fc.string({ maxLength: 400 })),
      calls: fc.array(
        fc.record({ args: fc.constantFrom('', '{}', '{"a', '[]'), answered: fc.boolean(), size: fc.nat(5000) }),
        {
          maxLength: 3,
        },
      ),
      interrupted: fc.boolean(),
    })
    const Runs = fc.array(fc.array(Row, { maxLength: 4 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(Runs, fc.integer({ min: 100, max: 4000 }), fc.nat(3), (runs, contextTokens, missing) => {
        const all = rows(
          ...runs.map((run, r) => [
            user(`question ${r}`),
            ...run.flatMap(({ content, calls, interrupted }, m) => [
              answer(content, {
                ...(interrupted ? { interrupted } : {}),
                toolCalls: calls.map(({ args }, c) => ({ id: `${r}-${m}-${c}`, name: 'n', arguments: args })),
              }),
              ...calls.flatMap(({ answered, size }, c) =>
                answered ? [result(`${r}-${m}-${c}`, 'z'.repeat(size))] : [],
              ),
            ]),
          ]),
        )
        // The window begins anywhere in the oldest run, when there is a later one.
        const window = runs.length > 1 ? all.slice(Math.min(missing, runs[0]?.length ?? 0)) : all
        const messages = build(window, { contextTokens })
        expect(faultsOf({ messages })).toEqual([])
        expect(messages).toContainEqual({ role: 'user', content: `question ${runs.length - 1}` })
        const users = messages.filter(({ role }) => role === 'user').length
        const rounds = messages.filter(({ role }) => role === 'assistant').length
        // The last question and the newest round stay, whatever they take.
        expect(users > 1 || rounds > 1 ? bytesOf(messages) : 0).toBeLessThanOrEqual(contextTokens * 3)
      }),
      { numRuns: 200, seed: 1 },
    )
  })
})
