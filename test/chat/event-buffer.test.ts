import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventBuffer } from '../../src/chat/run/event-buffer.ts'
import type { Event } from '../../src/protocol/events.ts'
import { MAX_DELTA_UNITS } from '../../src/protocol/limits.ts'

function buffer() {
  const batches: (readonly Event[])[] = []
  return { batches, buffer: new EventBuffer((events) => batches.push(events)) }
}

const deltas = (batches: readonly (readonly Event[])[]) =>
  batches.flat().flatMap((event) => ('delta' in event ? [event.delta] : []))
const END: Event = { type: 'TEXT_MESSAGE_END', messageId: 'a' }

describe('an event buffer', () => {
  it('joins what comes between two flushes, and keeps those apart', () => {
    const { batches, buffer: events } = buffer()
    events.delta('TEXT_MESSAGE_CONTENT', 'a', 'one ')
    events.delta('TEXT_MESSAGE_CONTENT', 'a', 'two ')
    expect(batches).toEqual([])
    events.flush()
    events.delta('TEXT_MESSAGE_CONTENT', 'a', 'three')
    events.flush()
    expect(batches).toEqual([
      [{ type: 'TEXT_MESSAGE_CONTENT', messageId: 'a', delta: 'one two ' }],
      [{ type: 'TEXT_MESSAGE_CONTENT', messageId: 'a', delta: 'three' }],
    ])
  })

  it('joins deltas of one item and kind only, and keeps the order', () => {
    const { batches, buffer: events } = buffer()
    events.delta('TEXT_MESSAGE_CONTENT', 'a', '1')
    events.delta('REASONING_MESSAGE_CONTENT', 'a', '2')
    events.delta('TOOL_CALL_ARGS', 't', '3')
    events.push(END)
    events.delta('TEXT_MESSAGE_CONTENT', 'a', '4')
    events.delta('TEXT_MESSAGE_CONTENT', 'b', '5')
    events.flush()
    expect(batches.flat().map((event) => ('delta' in event ? event.delta : event.type))).toEqual(
      '1 2 3 TEXT_MESSAGE_END 4 5'.split(' '),
    )
    expect(batches.flat()[2]).toEqual({ type: 'TOOL_CALL_ARGS', toolCallId: 't', delta: '3' })
  })

  it('hands over once', () => {
    const { batches, buffer: events } = buffer()
    events.push(END)
    events.flush()
    events.flush()
    expect(batches).toEqual([[END]])
  })

  it('P-8 P-73: cuts to 32 Ki units, never inside a character, and loses nothing', () => {
    const Piece = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 5 }),
      fc.constantFrom('🦜'.repeat(MAX_DELTA_UNITS), `x${'🦜'.repeat(20_000)}`, 'y'.repeat(MAX_DELTA_UNITS - 1)),
    )
    fc.assert(
      fc.property(fc.array(Piece, { maxLength: 6 }), (pieces) => {
        const { batches, buffer: events } = buffer()
        for (const piece of pieces) events.delta('TEXT_MESSAGE_CONTENT', 'a', piece)
        events.flush()
        const said = deltas(batches)
        expect(said.join('') === pieces.join('')).toBe(true)
        for (const delta of said) {
          expect(delta.length).toBeLessThanOrEqual(MAX_DELTA_UNITS)
          expect(delta.isWellFormed()).toBe(true)
        }
      }),
      { numRuns: 50, seed: 1 },
    )
  })
})
