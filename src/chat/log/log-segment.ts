import type { LogEntry } from '../../ports/event-log.ts'
import { GrowingText } from '../../ports/growing-text.ts'
import { canJoin, type DeltaEvent, type Event, isDelta } from '../../protocol/events.ts'
import { MAX_DELTA_UNITS } from '../../protocol/limits.ts'

/** Bytes that an event takes beside its text: its objects and their slots, measured on V8. */
const EVENT_OVERHEAD_BYTES = 200
/** As many of a segment of deltas. */
const DELTAS_OVERHEAD_BYTES = 700
/** Bytes that one more delta takes beside its text: a number. */
const DELTA_OVERHEAD_BYTES = 4
/** Deltas of one segment, and how many it has room for at first. */
const MAX_SEGMENT_DELTAS = 256
const FIRST_DELTAS = 16

/** Adjacent entries of a log that are kept as one thing. */
export interface Segment {
  /** The last position it covers. */
  readonly last: number
  /** Entries that it holds. */
  readonly count: number
  /** What it takes. UTF-16 units stand for bytes: the bound is of memory, and V8 keeps mostly one byte a unit. */
  readonly bytes: number
  /** Takes one more event at position `seq`; false when it is of another item or the segment is full. */
  add(event: Event, seq: number): boolean
  /** Nothing is added any more. */
  close(): void
  /** The oldest `max` entries after position `seq`; undefined when that is inside an entry or before what is held. */
  after(seq: number, max: number): LogEntry[] | undefined
  /** Joins its oldest deltas until it has `surplus` entries less, or one left; none gets longer than a frame may carry. */
  merge(surplus: number): void
  /** Lets its oldest entry go. */
  shift(): void
}

/** A segment that begins with this event. */
export function segmentOf(event: Event, seq: number): Segment {
  return isDelta(event) ? new Deltas(event, seq) : new Single(event, seq)
}

class Single implements Segment {
  readonly last: number
  readonly bytes: number
  readonly #event: Event
  count = 1

  constructor(event: Event, seq: number) {
    this.#event = event
    this.last = seq
    this.bytes = EVENT_OVERHEAD_BYTES + textOf(event)
  }

  add(): boolean {
    return false
  }

  close(): void {}

  after(seq: number, max: number): LogEntry[] | undefined {
    if (this.count === 0 || seq !== this.last - 1) return undefined
    return max > 0 ? [{ first: this.last, last: this.last, event: this.#event }] : []
  }

  merge(): void {}

  shift(): void {
    this.count = 0
  }
}

/** Deltas of one item as one text and the places where each ends: a token costs its characters and a number. */
class Deltas implements Segment {
  /** Says type and item; its own delta is in the text like all others. */
  readonly #shape: DeltaEvent
  readonly #text = new GrowingText()
  /** The deltas that were added end before these units of the text; entry 0 is the one at `#oldest`. */
  #ends = new Uint32Array(FIRST_DELTAS)
  #added = 0
  #oldest = 0
  /** Where entry 0 begins in the text: what was let go before it goes with the segment. */
  #begin = 0
  /** The position before entry 0, and the last one that it covers; each later entry covers one. */
  #before: number
  #firstLast: number

  constructor(event: DeltaEvent, seq: number) {
    this.#shape = { ...event, delta: '' }
    this.#before = seq - 1
    this.#firstLast = seq
    this.#push(event.delta)
  }

  get last(): number {
    return this.#firstLast + this.count - 1
  }

  get count(): number {
    return this.#added - this.#oldest
  }

  get bytes(): number {
    return DELTAS_OVERHEAD_BYTES + this.#text.length - this.#begin + this.count * DELTA_OVERHEAD_BYTES
  }

  add(event: Event): boolean {
    if (!isDelta(event) || !canJoin(this.#shape, event)) return false
    if (this.#added >= MAX_SEGMENT_DELTAS || this.#text.length + event.delta.length > MAX_DELTA_UNITS) return false
    this.#push(event.delta)
    return true
  }

  close(): void {
    this.#text.close()
    this.#ends = this.#ends.slice(0, this.#added)
  }

  after(seq: number, max: number): LogEntry[] | undefined {
    const from = seq === this.#before ? 0 : seq - this.#firstLast + 1
    if (seq !== this.#before && (from < 1 || from > this.count)) return undefined
    const text = this.#text.toString()
    const entries: LogEntry[] = []
    const stop = Math.min(this.count, from + max)
    for (let index = from; index < stop; index++) {
      const last = this.#firstLast + index
      const delta = text.slice(index === 0 ? this.#begin : this.#endOf(index - 1), this.#endOf(index))
      entries.push({ first: index === 0 ? this.#before + 1 : last, last, event: { ...this.#shape, delta } })
    }
    return entries
  }

  /** The whole segment fits a frame, so any of its entries can be joined. */
  merge(surplus: number): void {
    const joins = Math.min(surplus, this.count - 1)
    this.#oldest += joins
    this.#firstLast += joins
  }

  shift(): void {
    this.#begin = this.#endOf(0)
    this.#oldest++
    this.#before = this.#firstLast
    this.#firstLast++
  }

  #push(delta: string): void {
    this.#text.append(delta)
    if (this.#added === this.#ends.length) {
      const larger = new Uint32Array(MAX_SEGMENT_DELTAS)
      larger.set(this.#ends)
      this.#ends = larger
    }
    this.#ends[this.#added++] = this.#text.length
  }

  #endOf(index: number): number {
    return this.#ends[this.#oldest + index] ?? this.#text.length
  }
}

function textOf(event: Event): number {
  if (event.type === 'TOOL_CALL_RESULT') return event.content.length
  if (event.type !== 'RUN_STARTED') return 0
  return (event.input?.messages ?? []).reduce((sum, { content }) => sum + (content ?? '').length, 0)
}
