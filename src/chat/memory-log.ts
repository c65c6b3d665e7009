import { randomBytes } from 'node:crypto'
import type { EventLog, LogBounds, LogEntry, LogRead, LogReader, SessionLog } from '../ports/event-log.ts'
import { canJoin, type Event, isDelta } from '../protocol/events.ts'
import type { Cursor } from '../protocol/ids.ts'
import { MAX_DELTA_BYTES } from '../protocol/limits.ts'

/** Bytes that an entry takes beside its text: the two objects and their slots, measured on V8. */
const ENTRY_OVERHEAD_BYTES = 200
/** Random bytes in an epoch's name: no two lives of a log share one. */
const EPOCH_BYTES = 6
/** A compaction goes down to this share of a bound, so that its cost is spread over many appends. */
const COMPACT_TO = 0.75
const NO_ENTRIES: LogEntry[] = []

/** The event log of one process, in its memory. A session's log is a new life (epoch) each time it is opened anew. */
export class MemoryEventLog implements EventLog {
  readonly #bounds: LogBounds
  readonly #now: () => number
  readonly #logs = new Map<string, MemorySessionLog>()
  /** Logs that hold entries and whose run is over: what the sweep looks at. */
  readonly #settled = new Set<MemorySessionLog>()

  /** One for all logs. */
  readonly #track = (log: MemorySessionLog): void => {
    log.settledAt = this.#now()
    this.#settled.add(log)
  }

  constructor(bounds: LogBounds, now: () => number = Date.now) {
    this.#bounds = bounds
    this.#now = now
  }

  open(sessionId: string): SessionLog {
    let log = this.#logs.get(sessionId)
    if (log === undefined) {
      log = new MemorySessionLog(this.#bounds, this.#track)
      this.#logs.set(sessionId, log)
    }
    return log
  }

  drop(sessionId: string): void {
    const log = this.#logs.get(sessionId)
    if (log !== undefined) this.#settled.delete(log)
    this.#logs.delete(sessionId)
  }

  sweep(now: number): void {
    for (const log of this.#settled) {
      if (log.settledAt !== undefined && now - log.settledAt < this.#bounds.idleMs) continue
      // Without a time: another run began, its entries stay until that is over.
      if (log.settledAt !== undefined) log.clear()
      this.#settled.delete(log)
    }
  }
}

class MemorySessionLog implements SessionLog {
  /** When its last run ended; undefined while one is on. */
  settledAt: number | undefined
  readonly #bounds: LogBounds
  readonly #onSettled: (log: MemorySessionLog) => void
  readonly epoch = randomBytes(EPOCH_BYTES).toString('hex')
  #seq = 0
  #entries = NO_ENTRIES
  #bytes = 0
  #fence = 0
  #reader: LogReader | undefined

  constructor(bounds: LogBounds, onSettled: (log: MemorySessionLog) => void) {
    this.#bounds = bounds
    this.#onSettled = onSettled
  }

  get head(): Cursor {
    return { epoch: this.epoch, seq: this.#seq }
  }

  append(events: readonly Event[], fence: number): void {
    if (fence < this.#fence) return
    this.#fence = fence
    this.settledAt = undefined
    if (this.#entries === NO_ENTRIES) this.#entries = []
    for (const event of events) {
      this.#seq++
      const entry = { first: this.#seq, last: this.#seq, event }
      this.#entries.push(entry)
      this.#bytes += sizeOf(event)
      this.#reader?.heard(entry)
    }
    this.#bound(this.#bounds.runEntries, this.#bounds.runBytes)
  }

  read(after: Cursor, maxEntries: number): LogRead {
    if (after.epoch !== this.epoch || after.seq > this.#seq) return { kind: 'gap' }
    if (after.seq === this.#seq) return { kind: 'tail', entries: NO_ENTRIES }
    const start = this.#indexOf(after.seq + 1)
    if (this.#entries[start]?.first !== after.seq + 1) return { kind: 'gap' }
    return { kind: 'tail', entries: this.#entries.slice(start, start + maxEntries) }
  }

  subscribe(reader: LogReader): void {
    this.#reader = reader
  }

  settle(): void {
    this.#bound(this.#bounds.idleEntries, this.#bounds.idleBytes)
    this.#onSettled(this)
  }

  /** Keeps the position, so that a cursor at the head stays good. */
  clear(): void {
    this.#entries = NO_ENTRIES
    this.#bytes = 0
  }

  /** The first entry that ends at or after `seq`. */
  #indexOf(seq: number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle]?.last ?? seq) < seq) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Over a bound: the oldest adjacent deltas are merged, then the oldest entries go. */
  #bound(maxEntries: number, maxBytes: number): void {
    if (this.#entries.length <= maxEntries && this.#bytes <= maxBytes) return
    const entries = mergeOldest(this.#entries, Math.floor(maxEntries * COMPACT_TO))
    let bytes = entries.reduce((sum, entry) => sum + sizeOf(entry.event), 0)
    let drop = 0
    while (entries.length - drop > maxEntries * COMPACT_TO || bytes > maxBytes * (drop === 0 ? 1 : COMPACT_TO)) {
      const entry = entries[drop++]
      if (entry === undefined) break
      bytes -= sizeOf(entry.event)
    }
    this.#entries = entries.slice(drop)
    this.#bytes = bytes
  }
}

/** UTF-16 units stand for bytes here: the bound is of memory, and V8 keeps mostly one byte a unit. */
function sizeOf(event: Event): number {
  if (isDelta(event)) return ENTRY_OVERHEAD_BYTES + event.delta.length
  if (event.type === 'TOOL_CALL_RESULT') return ENTRY_OVERHEAD_BYTES + event.content.length
  if (event.type === 'RUN_STARTED')
    return (
      ENTRY_OVERHEAD_BYTES + (event.input?.messages ?? []).reduce((sum, { content }) => sum + (content ?? '').length, 0)
    )
  return ENTRY_OVERHEAD_BYTES
}

/** Joins adjacent deltas of one item from the oldest on, until at most `target` entries are left or none can be joined. */
function mergeOldest(entries: readonly LogEntry[], target: number): LogEntry[] {
  const merged: LogEntry[] = []
  let surplus = entries.length - target
  for (const entry of entries) {
    const previous = merged.at(-1)
    const joined = surplus > 0 && previous !== undefined ? joinEntries(previous, entry, MAX_DELTA_BYTES) : undefined
    if (joined === undefined) merged.push(entry)
    else {
      merged[merged.length - 1] = joined
      surplus--
    }
  }
  return merged
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
