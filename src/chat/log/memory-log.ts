import { randomFillSync } from 'node:crypto'
import type { EventLog, LogBounds, LogEntry, LogRead, LogReader, LogSize, SessionLog } from '../../ports/event-log.ts'
import { canJoin, type Event, isDelta } from '../../protocol/events.ts'
import type { Cursor } from '../../protocol/ids.ts'
import { type Segment, segmentOf } from './log-segment.ts'

/** No two lives of a log share an epoch. */
const EPOCH_BYTES = 6
/** A compaction goes down to this share of a bound, so that its cost is spread over many appends. */
const COMPACT_TO = 0.75
const NO_ENTRIES: readonly LogEntry[] = []
const NO_SEGMENTS: Segment[] = []

/** The event log of one process, in its memory. A session's log is a new life (epoch) each time it is opened anew. */
export class MemoryEventLog implements EventLog {
  readonly #keeper: Keeper
  readonly #logs = new Map<string, MemorySessionLog>()
  /** Logs that hold entries and whose run is over: what the sweep looks at. */
  readonly #settled = new Set<MemorySessionLog>()

  constructor(bounds: LogBounds, now: () => number = Date.now) {
    this.#keeper = {
      bounds,
      settled: (log) => {
        log.settledAt = now()
        this.#settled.add(log)
      },
    }
  }

  open(sessionId: string): SessionLog {
    let log = this.#logs.get(sessionId)
    if (log === undefined) {
      log = new MemorySessionLog(this.#keeper)
      this.#logs.set(sessionId, log)
    }
    return log
  }

  get size(): LogSize {
    let [entries, bytes] = [0, 0]
    for (const { size } of this.#logs.values()) {
      entries += size.entries
      bytes += size.bytes
    }
    return { entries, bytes }
  }

  drop(sessionId: string): void {
    const log = this.#logs.get(sessionId)
    if (log !== undefined) this.#settled.delete(log)
    this.#logs.delete(sessionId)
  }

  sweep(now: number): void {
    for (const log of this.#settled) {
      if (log.settledAt !== undefined && now - log.settledAt < this.#keeper.bounds.idleMs) continue
      // Without a time: another run began, its entries stay until that is over.
      if (log.settledAt !== undefined) log.clear()
      this.#settled.delete(log)
    }
  }
}

/** What all logs share. */
type Keeper = {
  readonly bounds: LogBounds
  /** The log's run is over. */
  readonly settled: (log: MemorySessionLog) => void
}

/** Random bytes of epochs to come: drawn many at once, which takes a twentieth of the time. */
const drawn = Buffer.alloc(EPOCH_BYTES * 128)
let used = drawn.length

function newEpoch(): string {
  if (used === drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  used += EPOCH_BYTES
  return drawn.toString('hex', used - EPOCH_BYTES, used)
}

class MemorySessionLog implements SessionLog {
  /** When its last run ended; undefined while one is on. */
  settledAt: number | undefined
  readonly #keeper: Keeper
  readonly epoch = newEpoch()
  #seq = 0
  #segments = NO_SEGMENTS
  #count = 0
  #bytes = 0
  #fence = 0
  #reader: LogReader | undefined

  constructor(keeper: Keeper) {
    this.#keeper = keeper
  }

  get head(): Cursor {
    return { epoch: this.epoch, seq: this.#seq }
  }

  get size(): LogSize {
    return { entries: this.#count, bytes: this.#bytes }
  }

  append(events: readonly Event[], fence: number): void {
    if (fence < this.#fence) return
    this.#fence = fence
    this.settledAt = undefined
    if (this.#segments === NO_SEGMENTS) this.#segments = []
    for (const event of events) {
      this.#seq++
      this.#add(event)
      this.#reader?.heard({ first: this.#seq, last: this.#seq, event })
    }
    const { runEntries, runBytes } = this.#keeper.bounds
    this.#bound(runEntries, runBytes)
  }

  read(after: Cursor, maxEntries: number): LogRead {
    if (after.epoch !== this.epoch || after.seq > this.#seq) return { kind: 'gap' }
    if (after.seq === this.#seq) return { kind: 'tail', entries: NO_ENTRIES }
    const start = this.#indexOf(after.seq + 1)
    const first = this.#segments[start]?.after(after.seq, maxEntries)
    if (first === undefined) return { kind: 'gap' }
    const entries = first
    for (let index = start + 1; entries.length < maxEntries; index++) {
      const more = this.#segments[index]?.after(entries.at(-1)?.last ?? after.seq, maxEntries - entries.length)
      if (more === undefined) break
      entries.push(...more)
    }
    return { kind: 'tail', entries }
  }

  subscribe(reader: LogReader): void {
    this.#reader = reader
  }

  settle(): void {
    const { idleEntries, idleBytes } = this.#keeper.bounds
    this.#bound(idleEntries, idleBytes)
    this.#keeper.settled(this)
  }

  skip(): void {
    this.#seq++
    this.clear()
  }

  /** Keeps the position, so that a cursor at the head stays good. */
  clear(): void {
    this.#segments = NO_SEGMENTS
    this.#count = 0
    this.#bytes = 0
  }

  #add(event: Event): void {
    const open = this.#segments.at(-1)
    const before = open?.bytes ?? 0
    if (open?.add(event, this.#seq) === true) this.#bytes += open.bytes - before
    else {
      open?.close()
      const segment = segmentOf(event, this.#seq)
      this.#segments.push(segment)
      this.#bytes += segment.bytes
    }
    this.#count++
  }

  /** The first segment that ends at or after `seq`. */
  #indexOf(seq: number): number {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#segments[middle]?.last ?? seq) < seq) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Over a bound: the oldest adjacent deltas are merged, then the oldest entries go. */
  #bound(maxEntries: number, maxBytes: number): void {
    if (this.#count <= maxEntries && this.#bytes <= maxBytes) return
    const target = Math.floor(maxEntries * COMPACT_TO)
    for (const segment of this.#segments) {
      if (this.#count <= target) break
      this.#change(segment, () => segment.merge(this.#count - target))
    }
    const bytes = this.#bytes > maxBytes ? maxBytes * COMPACT_TO : maxBytes
    let gone = 0
    while (this.#count > target || this.#bytes > bytes) {
      const oldest = this.#segments[gone]
      if (oldest === undefined) break
      this.#change(oldest, () => oldest.shift())
      if (oldest.count > 0) continue
      this.#bytes -= oldest.bytes
      gone++
    }
    this.#segments.splice(0, gone)
  }

  /** Keeps count of what `change` does to the segment. */
  #change(segment: Segment, change: () => void): void {
    const { count, bytes } = segment
    change()
    this.#count += segment.count - count
    this.#bytes += segment.bytes - bytes
  }
}

/** One entry that covers both, or undefined when they are not deltas of one item or would get longer than `maxLength` units. */
export function joinEntries(
  previous: LogEntry,
  next: LogEntry,
  maxLength = Number.POSITIVE_INFINITY,
): LogEntry | undefined {
  if (!canJoin(previous.event, next.event) || !isDelta(previous.event) || !isDelta(next.event)) return undefined
  const delta = previous.event.delta + next.event.delta
  if (delta.length > maxLength) return undefined
  return { first: previous.first, last: next.last, event: { ...previous.event, delta } }
}
