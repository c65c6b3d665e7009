import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toStatusFrame } from '../../src/chat/session/status-frame.ts'
import { toQueueItems } from '../../src/chat/session/wire-messages.ts'
import type { RunRow } from '../../src/ports/store.ts'
import { encodeControl } from '../../src/protocol/codec.ts'
import { MAX_MESSAGE_BYTES, MAX_OUTBOUND_FRAME_BYTES } from '../../src/protocol/limits.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { message, run, session } from '../contracts/store-rows.ts'

const RUNS = 40
const SEED = 20_261_130
/** As many as PARLEY_QUEUE and an App's `queuedSends` allow. */
const MAX_QUEUED_SENDS = 1000
const MAX_ID_LENGTH = 64
const SHOWN_BYTES = 2048
const { id: sessionId } = session()
/** As many calls as one answer makes, with long names. */
const waiting = run(sessionId, 'r0', {
  pending: Array.from({ length: 128 }, (_, n) => ({
    toolCallId: `call${n}`.padEnd(MAX_ID_LENGTH, '-'),
    toolName: 't'.repeat(MAX_ID_LENGTH),
    kind: 'client' as const,
  })),
})

type Send = { readonly run: RunRow; readonly message: ReturnType<typeof message> }

function queueOf(length: number, idLength: number, textOf: (n: number) => string): Send[] {
  return Array.from({ length }, (_, n) => {
    const row = run(sessionId, `r${n}`.padEnd(idLength, '-'), { status: 'queued' })
    return { run: row, message: message(row, 0, { id: `m${n}`.padEnd(idLength, '_'), content: textOf(n) }) }
  })
}

function frameOf(queue: readonly Send[]): string {
  const lastRun = { runId: 'r0', outcome: 'success' as const }
  return encodeControl(toStatusFrame({ status: 'processing', runId: 'r0', queue, waiting, lastRun }, 0))
}

describe('P-8, P-81: a queue in a frame', () => {
  const long = (unit: string) => unit.repeat(MAX_MESSAGE_BYTES / utf8Length(unit))
  it.each([
    ['letters', 'a'],
    ['what JSON escapes to six bytes', '\u0001'],
    ['quotes', '"'],
    ['pairs of surrogates', '😀'],
  ])('of a thousand sends with the longest ids and texts of %s fits', (_, unit) => {
    const queue = queueOf(MAX_QUEUED_SENDS, MAX_ID_LENGTH, () => long(unit))
    expect(utf8Length(frameOf(queue))).toBeLessThanOrEqual(MAX_OUTBOUND_FRAME_BYTES)
    // All are there, and of each a part that a person can tell it by.
    const items = toQueueItems(queue)
    expect(items).toHaveLength(MAX_QUEUED_SENDS)
    expect(Math.min(...items.map(({ content }) => content.length))).toBeGreaterThan(0)
  })

  it('of ten sends shows 2 KiB of each, whatever escapes they take', () => {
    for (const unit of ['a', '\u0001'])
      for (const { content } of toQueueItems(queueOf(10, MAX_ID_LENGTH, () => long(unit))))
        expect(content).toBe(unit.repeat(SHOWN_BYTES))
  })

  it('fits at every length, and shows of each text how it begins', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(long('\u0001'), long('a'), long('é'), long('😀')),
    )
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: MAX_QUEUED_SENDS }),
        fc.integer({ min: 5, max: MAX_ID_LENGTH }),
        fc.array(text, { minLength: 1, maxLength: 5 }),
        (length, idLength, texts) => {
          const textOf = (n: number) => texts[n % texts.length] ?? ''
          const queue = queueOf(length, idLength, textOf)
          expect(utf8Length(frameOf(queue))).toBeLessThanOrEqual(MAX_OUTBOUND_FRAME_BYTES)
          const isShown = (content: string, n: number) =>
            textOf(n).startsWith(content) && utf8Length(content) <= SHOWN_BYTES
          expect(toQueueItems(queue).every(({ content }, n) => isShown(content, n))).toBe(true)
        },
      ),
      { numRuns: RUNS, seed: SEED },
    )
  })
})
