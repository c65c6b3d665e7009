import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryEventLog } from '../../src/chat/log/memory-log.ts'
import type { LogBounds, LogEntry, SessionLog } from '../../src/ports/event-log.ts'
import type { Event } from '../../src/protocol/events.ts'
import { MAX_DELTA_UNITS } from '../../src/protocol/limits.ts'
import { collectGarbage } from '../support/collect-garbage.ts'

const BOUNDS: LogBounds = { runEntries: 20, runBytes: 100_000, idleEntries: 10, idleBytes: 50_000, idleMs: 60_000 }
const text = (delta: string, messageId = 'a'): Event => ({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta })
const end = (messageId: string): Event => ({ type: 'TEXT_MESSAGE_END', messageId })
const BIG = 10_000

function open(bounds: Partial<LogBounds> = {}, now: () => number = () => 0) {
  const logs = new MemoryEventLog({ ...BOUNDS, ...bounds }, now)
  return { logs, log: logs.open('s') }
}

function entriesOf(log: SessionLog, seq: number): readonly LogEntry[] | 'gap' {
  const read = log.read({ epoch: log.epoch, seq }, BIG)
  return read.kind === 'gap' ? 'gap' : read.entries
}

function heldAfter(log: SessionLog, seq: number): readonly LogEntry[] {
  const read = entriesOf(log, seq)
  if (read === 'gap') throw new Error(`nothing held after ${seq}`)
  return read
}

/** What a client has after these events: ids of those that are no deltas, and the text of every item. */
function fold(events: readonly { readonly last: number; readonly event: Event }[]) {
  const texts: Record<string, string> = {}
  const ids: number[] = []
  for (const { last, event } of events) {
    if (event.type === 'TEXT_MESSAGE_CONTENT') texts[event.messageId] = (texts[event.messageId] ?? '') + event.delta
    else ids.push(last)
  }
  return { texts, ids }
}

describe('the log in memory', () => {
  it('numbers events from 1, tells its subscriber each, and gives what follows a cursor', () => {
    const { log } = open()
    const heard: number[] = []
    log.subscribe({ heard: ({ first, last }) => void heard.push(first, last) })
    expect(log.head).toEqual({ epoch: log.epoch, seq: 0 })
    log.append([text('x'), end('a')], 1)
    log.append([text('y', 'b')], 1)
    log.append([end('b')], 1)
    expect(heard).toEqual([1, 1, 2, 2, 3, 3, 4, 4])
    expect(log.head.seq).toBe(4)
    expect(entriesOf(log, 2)).toEqual([
      { first: 3, last: 3, event: text('y', 'b') },
      { first: 4, last: 4, event: end('b') },
    ])
    expect(log.read({ epoch: log.epoch, seq: 0 }, 2)).toMatchObject({ entries: [{ first: 1 }, { first: 2 }] })
  })

  it('answers a cursor at the head by an empty tail, also when it holds nothing', () => {
    const { log, logs } = open()
    expect(entriesOf(log, 0)).toEqual([])
    log.append([text('x')], 1)
    log.settle()
    logs.sweep(BOUNDS.idleMs)
    expect(entriesOf(log, 1)).toEqual([])
    expect(entriesOf(log, 0)).toBe('gap')
  })

  it('I6: has an epoch of its own, however many are opened', () => {
    const { logs } = open()
    const epochs = Array.from({ length: 1000 }, (_, nth) => logs.open(`s${nth}`).epoch)
    expect(new Set(epochs).size).toBe(1000)
    expect(epochs.filter((epoch) => !/^[0-9a-f]{12}$/.test(epoch))).toEqual([])
  })

  it('answers another epoch and a cursor beyond the head by a gap', () => {
    const { log } = open()
    log.append([text('x')], 1)
    expect(log.read({ epoch: 'other', seq: 0 }, 1).kind).toBe('gap')
    expect(entriesOf(log, 2)).toBe('gap')
  })

  it('is another life after a drop', () => {
    const { logs, log } = open()
    log.append([text('x')], 1)
    logs.drop('s')
    const next = logs.open('s')
    expect(next.head.seq).toBe(0)
    expect(next.epoch).not.toBe(log.epoch)
    expect(logs.open('s')).toBe(next)
  })

  it('drops what a run appends after it changed hands', () => {
    const { log } = open()
    log.append([text('x')], 2)
    log.append([text('old')], 1)
    expect(log.head.seq).toBe(1)
  })

  it('I7: merges the oldest deltas before it lets entries go', () => {
    const { log } = open()
    log.append(
      Array.from({ length: 18 }, (_, nth) => text(`${nth} `)),
      1,
    )
    log.append([end('a'), text('b', 'b'), end('b')], 1)
    const entries = heldAfter(log, 0)
    expect(entries.length).toBeLessThanOrEqual(BOUNDS.runEntries)
    expect(fold(entries).texts['a']).toBe(Array.from({ length: 18 }, (_, nth) => `${nth} `).join(''))
  })

  it('P-8: never merges more than a frame may carry', () => {
    const { log } = open({ runBytes: 10_000_000 })
    for (let nth = 0; nth < 100; nth++) log.append([text('x'.repeat(5000))], 1)
    const reads = Array.from({ length: log.head.seq }, (_, seq) => entriesOf(log, seq))
    const lengths = reads.flatMap((read) =>
      read === 'gap' ? [] : read.map(({ event }) => 'delta' in event && event.delta.length),
    )
    expect(lengths.length).toBeGreaterThan(0)
    for (const length of lengths) expect(length).toBeLessThanOrEqual(MAX_DELTA_UNITS)
  })

  it('I7: shrinks to the smaller bounds when the run is over, and lets all go a while after', () => {
    let now = 0
    const { logs, log } = open({}, () => now)
    log.append(
      Array.from({ length: 20 }, (_, nth) => end(`${nth}`)),
      1,
    )
    log.settle()
    expect(entriesOf(log, 9)).toBe('gap')
    expect(entriesOf(log, 15)).toHaveLength(5)
    logs.sweep((now = BOUNDS.idleMs - 1))
    expect(entriesOf(log, 15)).toHaveLength(5)
    logs.sweep((now = BOUNDS.idleMs))
    expect(entriesOf(log, 15)).toBe('gap')
  })

  it('I7: keeps the entries of a run that is on, however long ago the one before ended', () => {
    let now = 0
    const { logs, log } = open({}, () => now)
    log.append([end('a')], 1)
    log.settle()
    now = BOUNDS.idleMs - 1
    log.append([text('x', 'b')], 1)
    logs.sweep((now = 2 * BOUNDS.idleMs))
    expect(entriesOf(log, 1)).toHaveLength(1)
    log.settle()
    logs.sweep(now + BOUNDS.idleMs)
    expect(entriesOf(log, 1)).toBe('gap')
  })

  it('I6: any cursor that a client ever had is answered by exactly what followed it, or by a gap', () => {
    const Appended = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.record({ item: fc.constantFrom('a', 'b'), text: fc.string({ maxLength: 30 }) }) },
        { weight: 1, arbitrary: fc.constant('end' as const) },
        { weight: 1, arbitrary: fc.constant('settle' as const) },
      ),
      { maxLength: 200 },
    )
    fc.assert(
      fc.property(
        Appended,
        fc.integer({ min: 4, max: 40 }),
        fc.integer({ min: 900, max: 6000 }),
        (steps, count, bytes) => {
          const bounds = { runEntries: count, idleEntries: Math.ceil(count / 2), runBytes: bytes, idleBytes: bytes }
          const { log } = open(bounds)
          const all: LogEntry[] = []
          log.subscribe({ heard: (entry) => void all.push(entry) })
          for (const step of steps) {
            if (step === 'settle') log.settle()
            else log.append([step === 'end' ? end('a') : text(step.text, step.item)], 1)
            const held = Array.from({ length: log.head.seq + 1 }, (_, seq) => entriesOf(log, seq))
            const longest = held.find((read) => read !== 'gap') ?? []
            expect(longest.length).toBeLessThanOrEqual(count)
            const folded = held.map((read) => (read === 'gap' ? 'gap' : fold(read)))
            expect(folded).toEqual(held.map((read, seq) => (read === 'gap' ? 'gap' : fold(all.slice(seq)))))
            expect(held.at(-1)).toEqual([])
          }
        },
      ),
      { numRuns: 30, seed: 1 },
    )
  })

  it('I7: keeps no room to grow in for an item that something follows', async () => {
    const [items, deltas, length] = [2000, 20, 30]
    const { logs, log } = open({ runEntries: Number.MAX_SAFE_INTEGER, runBytes: Number.MAX_SAFE_INTEGER })
    await collectGarbage()
    const before = process.memoryUsage().arrayBuffers
    for (let item = 0; item < items; item++)
      log.append([...Array.from({ length: deltas }, () => text('x'.repeat(length), `${item}`)), end(`${item}`)], 1)
    await collectGarbage()
    const taken = (process.memoryUsage().arrayBuffers - before) / (items * deltas)
    // Its characters, and the number that says where they end.
    expect(taken).toBeGreaterThan(length)
    expect(taken).toBeLessThan(1.1 * (length + 4))
    expect(logs.size.entries).toBe(items * (deltas + 1))
  })
})
