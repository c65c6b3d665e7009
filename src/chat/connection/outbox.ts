import type { LogEntry, SessionLog } from '../../ports/event-log.ts'
import type { Socket } from '../../ports/transport.ts'
import { encodeEvent } from '../../protocol/codec.ts'
import type { Cursor } from '../../protocol/ids.ts'
import { MAX_DELTA_UNITS } from '../../protocol/limits.ts'
import { joinEntries } from '../log/memory-log.ts'
import type { ChatSettings } from '../settings.ts'

/** Entries read from the log at once for a connection that is behind; after merging they are a few frames. */
const READ_ENTRIES = 2000
/** A connection catches up to the head only with less than this share of the mark waiting: else it would fall behind at once. */
const DRAINED_SHARE = 0.25

/** UTF-16 units that one turn to catch up writes: two frames of the longest deltas. A socket of a fast peer would take megabytes. */
const SHARE_UNITS = 2 * MAX_DELTA_UNITS

type OutboxBounds = Pick<ChatSettings, 'behindBytes' | 'outboxBytes'>

/** What became of a connection's turn to catch up. `more`: it is to have another one, `waiting`: when its socket has drained. */
export type PumpResult = 'caught-up' | 'more' | 'waiting' | 'gap'

/**
 * What waits for one connection. **Live**: its cursor is the log's head and it gets what is delivered. **Behind**: it reads
 * the log from its cursor as its socket drains, adjacent deltas merged; a stalled reader costs its bytes on the way and no more (I7).
 */
export class Outbox {
  readonly #socket: Socket
  readonly #log: SessionLog
  readonly #bounds: OutboxBounds
  readonly #encode: (epoch: string, entry: LogEntry) => string | undefined
  /** Where it stands while behind. */
  #cursor: Cursor | undefined
  /** What is still to be sent before anything after the cursor; made frame by frame, as the socket takes them. */
  #opening: Iterator<string> | undefined
  /** What is left of this turn's share. */
  #share = 0

  /** `encode`: what an entry is to this peer when read from the log; undefined: nothing. */
  constructor(
    socket: Socket,
    log: SessionLog,
    bounds: OutboxBounds,
    encode: (epoch: string, entry: LogEntry) => string | undefined = encodeEntry,
  ) {
    this.#socket = socket
    this.#log = log
    this.#bounds = bounds
    this.#encode = encode
  }

  get socket(): Socket {
    return this.#socket
  }

  /** True when more than the mark waits: time to leave the group and go on from the log. */
  get overMark(): boolean {
    return this.#socket.buffered() > this.#bounds.behindBytes
  }

  /** Sends one frame now; false when the peer is hopelessly slow: the frame was dropped or the outbox is full. */
  send(text: string): boolean {
    const result = this.#socket.send(text)
    return result === 'sent' || (result === 'queued' && this.#socket.buffered() <= this.#bounds.outboxBytes)
  }

  /** From now on it reads from `cursor` (the head, when it was live) at its own pace. */
  fallBehind(cursor: Cursor): void {
    this.#cursor = cursor
  }

  /** It gets the frames of `opening` and then what follows `cursor`, all at its own pace: an answer so far may be far longer than what may wait. */
  open(opening: Iterable<string>, cursor: Cursor): void {
    this.#opening = opening[Symbol.iterator]()
    this.#cursor = cursor
  }

  /** Writes what fits, and no more than a turn's share. `caught-up`: it is live. `gap`: its entries are gone, it needs a snapshot. */
  pump(): PumpResult {
    this.#share = SHARE_UNITS
    while (this.#cursor !== undefined) {
      if (this.#socket.buffered() > this.#bounds.behindBytes * DRAINED_SHARE) return 'waiting'
      if (!this.#writeOpening()) return this.#halted()
      const read = this.#log.read(this.#cursor, READ_ENTRIES)
      if (read.kind === 'gap') return 'gap'
      if (read.entries.length === 0) this.#cursor = undefined
      else if (!this.#write(read.entries, this.#cursor.epoch)) return this.#halted()
    }
    return 'caught-up'
  }

  #halted(): PumpResult {
    return this.#share > 0 || this.overMark ? 'waiting' : 'more'
  }

  /** False while something of it is left. */
  #writeOpening(): boolean {
    while (this.#opening !== undefined) {
      if (this.#share <= 0) return false
      const next = this.#opening.next()
      if (next.done === true) this.#opening = undefined
      // Dropped only when it has closed: the mark, which is looked at after each frame, is far below the transport's limit.
      else if (this.#socket.send(next.value) === 'dropped') return false
      else this.#share -= next.value.length
      if (this.overMark) return false
    }
    return true
  }

  /** False when it stopped half-way, because the socket fills or the turn is over; the cursor says how far it got. */
  #write(entries: readonly LogEntry[], epoch: string): boolean {
    for (const entry of joined(entries)) {
      if (this.#share <= 0) return false
      const text = this.#encode(epoch, entry)
      if (text !== undefined && this.#socket.send(text) === 'dropped') return false
      this.#share -= text?.length ?? 0
      this.#cursor = { epoch, seq: entry.last }
      if (this.overMark) return false
    }
    return true
  }
}

function encodeEntry(epoch: string, { last, event }: LogEntry): string {
  return encodeEvent(epoch, last, event)
}

/** The entries with adjacent deltas of one item joined, within a frame's bounds. */
function* joined(entries: readonly LogEntry[]): Generator<LogEntry> {
  let held: LogEntry | undefined
  for (const entry of entries) {
    const both = held === undefined ? undefined : joinEntries(held, entry, MAX_DELTA_UNITS)
    if (held !== undefined && both === undefined) yield held
    held = both ?? entry
  }
  if (held !== undefined) yield held
}
