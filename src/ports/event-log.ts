import type { Event } from '../protocol/events.ts'
import type { Cursor } from '../protocol/ids.ts'

/** One or more adjacent events, numbered: it covers the sequence numbers `first` to `last`. */
export type LogEntry = { readonly first: number; readonly last: number; readonly event: Event }

/** `gap`: the cursor is of another life, trimmed, inside an entry or beyond the head; the reader needs a snapshot. */
export type LogRead = { readonly kind: 'tail'; readonly entries: readonly LogEntry[] } | { readonly kind: 'gap' }

/** Hears entries as they come. An object, not a function: there is one for every session in memory. */
export interface LogReader {
  heard(entry: LogEntry): void
}

/** This process's view of one session's log. Sequence numbers exist only on this, the read side. */
export interface SessionLog {
  /** The name of this life of the log. */
  readonly epoch: string
  /** The last position; `seq` 0 in a new life. */
  readonly head: Cursor
  /** `fence` rises with every run and every change of its hands: an append below the highest so far is dropped. */
  append(events: readonly Event[], fence: number): void
  /** What follows `after`, oldest first, at most `maxEntries`. A cursor at the head is an empty tail. */
  read(after: Cursor, maxEntries: number): LogRead
  /** What happened elsewhere has no entries here: every cursor up to now is a gap. */
  skip(): void
  /** The one who hears each entry, in order, once it is in the log: the session. */
  subscribe(reader: LogReader): void
  /** The run is over: shrink to the smaller bounds. */
  settle(): void
}

export type LogBounds = {
  readonly runEntries: number
  readonly runBytes: number
  readonly idleEntries: number
  readonly idleBytes: number
  /** Milliseconds after a run's end at which its entries may go. */
  readonly idleMs: number
}

export type LogSize = { readonly entries: number; readonly bytes: number }

export interface EventLog {
  /** What it holds in this process's memory; counted when asked. */
  readonly size: LogSize
  /** The log of a session that this process holds; a new life when it is not held yet. */
  open(sessionId: string): SessionLog
  /** Forgets the log; a later `open` is another life. */
  drop(sessionId: string): void
  /** Lets go of what bounds by time allow; called about once a second. */
  sweep(now: number): void
}
