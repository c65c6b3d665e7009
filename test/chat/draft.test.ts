import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Draft } from '../../src/chat/run/draft.ts'
import { EventBuffer } from '../../src/chat/run/event-buffer.ts'
import type { ModelEvent } from '../../src/ports/provider.ts'
import type { Event } from '../../src/protocol/events.ts'

const BLOCKS = { provider: 'p', content: [{ type: 'text' }] }

function draft() {
  const events: Event[] = []
  const buffer = new EventBuffer((batch) => events.push(...batch))
  let index = 0
  const made = new Draft({ sessionId: 's', runId: 'r', startedAt: 7, nextIndex: () => ++index }, buffer)
  const hear = (...said: ModelEvent[]) => {
    for (const event of said) made.apply(event)
    buffer.flush()
  }
  const close = () => {
    made.close()
    buffer.flush()
  }
  return { draft: made, events, hear, close }
}

const say = (delta: string): ModelEvent => ({ type: 'text', delta })
const call = (id: string, ...args: string[]): ModelEvent[] => [
  { type: 'tool.start', id, name: 'echo' },
  ...args.map((delta): ModelEvent => ({ type: 'tool.args', id, delta })),
]
const types = (events: readonly Event[]) => events.map(({ type }) => type)

describe('a draft', () => {
  it('P-73: makes one message of all text of a request, its calls on it, reasoning before it', () => {
    const { draft: made, events, hear, close } = draft()
    hear({ type: 'reasoning', delta: 'hm' }, say('Let '), say('me'), ...call('t1', '{', '}'), {
      type: 'tool.end',
      id: 't1',
    })
    hear(say(' see'), { type: 'stop', reason: 'tools', blocks: BLOCKS })
    close()
    expect(made.rows()).toEqual([
      { id: 'r-1', sessionId: 's', runId: 'r', index: 1, role: 'reasoning', content: 'hm', createdAt: 7 },
      {
        id: 'r-2',
        sessionId: 's',
        runId: 'r',
        index: 2,
        role: 'assistant',
        content: 'Let me see',
        createdAt: 7,
        toolCalls: [{ id: 't1', name: 'echo', arguments: '{}' }],
        blocks: BLOCKS,
      },
    ])
    expect(types(events).join(' ')).toBe(
      'REASONING_START REASONING_MESSAGE_START REASONING_MESSAGE_CONTENT REASONING_MESSAGE_END REASONING_END ' +
        'TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT TOOL_CALL_START TOOL_CALL_ARGS TOOL_CALL_END TEXT_MESSAGE_CONTENT ' +
        'TEXT_MESSAGE_END',
    )
    expect(events.find(({ type }) => type === 'TOOL_CALL_START')).toMatchObject({ parentMessageId: 'r-2' })
  })

  it('marks what was interrupted, and keeps its provider blocks out: they are not whole', () => {
    const { draft: made, hear } = draft()
    hear(say('half'), { type: 'stop', reason: 'end', blocks: BLOCKS })
    expect(made.rows(true)).toEqual([expect.objectContaining({ content: 'half', interrupted: true })])
    expect(made.rows(true)[0]).not.toHaveProperty('blocks')
  })

  it('says nothing for what says nothing', () => {
    const { draft: made, events, hear, close } = draft()
    hear(say(''), { type: 'reasoning', delta: '' }, { type: 'reasoning.end' }, { type: 'tool.end', id: 'unknown' })
    hear({ type: 'tool.args', id: 'unknown', delta: 'x' }, { type: 'stop', reason: 'end' })
    close()
    expect([made.rows(), events, made.opening()]).toEqual([[], [], []])
  })

  it('opens a second reasoning after text as an item of its own', () => {
    const { draft: made, hear } = draft()
    hear({ type: 'reasoning', delta: 'a' }, say('b'), { type: 'reasoning', delta: 'c' }, say('d'))
    expect(made.rows().map(({ role, content, index }) => [role, content, index])).toEqual([
      ['reasoning', 'a', 1],
      ['assistant', 'bd', 2],
      ['reasoning', 'c', 3],
    ])
  })

  it('puts a character together that two deltas split, in text, reasoning and arguments', () => {
    const { draft: made, events, hear, close } = draft()
    hear(say('a\ud83e'), say('\udd9c b'))
    hear(
      { type: 'reasoning', delta: '\ud83e' },
      { type: 'reasoning', delta: '\udd9c' },
      ...call('t', '"\ud83e', '\udd9c"'),
    )
    close()
    expect(made.rows().map(({ content }) => content)).toEqual(['a🦜 b', '🦜'])
    expect(made.calls[0]?.arguments).toBe('"🦜"')
    expect(events.every((event) => !('delta' in event) || event.delta.isWellFormed())).toBe(true)
  })

  it('I6: shows what is open and long by deltas behind its start, and not twice', () => {
    const { draft: made, hear } = draft()
    hear(say('x'.repeat(40_000)), ...call('t', `{"${'y'.repeat(5000)}`))
    const [row] = made.snapshotRows()
    expect([row?.content, row?.toolCalls?.[0]?.arguments]).toEqual(['', ''])
    const opening = made.opening()
    expect(new Set(types(opening))).toEqual(
      new Set(['TEXT_MESSAGE_START', 'TEXT_MESSAGE_CONTENT', 'TOOL_CALL_START', 'TOOL_CALL_ARGS']),
    )
    expect(made.rows()[0]?.content).toHaveLength(40_000)
  })

  it('whatever the model says: what was told adds up to the rows, every item starts and ends once, all is storable', () => {
    const Id = fc.constantFrom('t1', 't2', 't3')
    const Said = fc.oneof(
      fc.record({
        type: fc.constantFrom('text' as const, 'reasoning' as const),
        delta: fc.string({ unit: 'binary', maxLength: 4 }),
      }),
      fc.constant({ type: 'reasoning.end' as const }),
      fc.record({
        type: fc.constant('tool.args' as const),
        id: Id,
        delta: fc.string({ unit: 'binary', maxLength: 4 }),
      }),
      fc.record({ type: fc.constant('tool.end' as const), id: Id }),
    )
    fc.assert(
      fc.property(
        fc.array(Said, { maxLength: 30 }),
        fc.uniqueArray(fc.tuple(Id, fc.nat(30)), { selector: ([id]) => id }),
        (said, calls) => {
          const { draft: made, events, hear, close } = draft()
          said.forEach((event, nth) => {
            for (const [id, at] of calls) if (at === nth) hear({ type: 'tool.start', id, name: 'echo' })
            hear(event)
          })
          close()
          const texts: Record<string, string> = {}
          for (const event of events) {
            if (!('delta' in event)) continue
            const item = 'toolCallId' in event ? event.toolCallId : event.messageId
            texts[item] = (texts[item] ?? '') + event.delta
            expect(event.delta.isWellFormed() && !event.delta.includes('\0')).toBe(true)
          }
          for (const row of made.rows()) {
            expect(row.content).toBe(texts[row.id] ?? '')
            for (const { id, arguments: args } of row.toolCalls ?? []) expect(args).toBe(texts[id] ?? '')
          }
          const count = (type: Event['type']) => events.filter((event) => event.type === type).length
          expect(count('TEXT_MESSAGE_START')).toBe(count('TEXT_MESSAGE_END'))
          expect(count('TOOL_CALL_START')).toBe(count('TOOL_CALL_END'))
          expect(count('REASONING_START')).toBe(count('REASONING_END'))
          expect(made.opening()).toEqual([])
        },
      ),
      { numRuns: 50, seed: 1 },
    )
  })
})

describe('what a checkpoint saves of a draft', () => {
  it('I3: is whole at first, and then only what was said since it was saved', () => {
    const { draft: made, hear } = draft()
    hear(say('Fine 🦜'))
    const first = made.unsaved()
    expect(first).toMatchObject({ messages: [{ id: 'r-1', content: 'Fine 🦜' }], tails: [] })
    hear(say(' thanks'))
    // Not saved yet: a save that failed is made up for.
    expect(made.unsaved()).toMatchObject({ messages: [{ content: 'Fine 🦜 thanks' }], tails: [] })
    first.saved()
    const second = made.unsaved()
    expect(second).toMatchObject({ messages: [], tails: [{ id: 'r-1', runId: 'r', from: 6, text: ' thanks' }] })
    hear(say(', and you?'))
    second.saved()
    expect(made.unsaved()).toMatchObject({ tails: [{ from: 13, text: ', and you?' }] })
    expect(made.rows()).toMatchObject([{ content: 'Fine 🦜 thanks, and you?' }])
  })

  it('leaves out what did not change, and writes an answer with calls whole', () => {
    const { draft: made, hear } = draft()
    hear({ type: 'reasoning', delta: 'hm' }, say('Let me see'))
    made.unsaved().saved()
    expect(made.unsaved()).toMatchObject({ messages: [], tails: [] })
    hear(...call('t1', '{'))
    expect(made.unsaved()).toMatchObject({
      messages: [{ id: 'r-2', content: 'Let me see', toolCalls: [{ id: 't1', arguments: '{' }] }],
      tails: [],
    })
  })
})
