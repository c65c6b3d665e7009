import type { RunFeed } from '../../ports/conversations.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Event } from '../../protocol/events.ts'
import type { Cursor } from '../../protocol/ids.ts'
import type { Watcher } from '../connection/audience.ts'
import { isQueued } from '../session/activity.ts'
import { wentOn } from '../session/refusals.ts'
import type { Session } from '../session/session.ts'

/** Entries of the log that one call reads: a fast answer's second. */
const READ_ENTRIES = 500

/** Reads one run out of the session's log, at the pace of who asks. Made before the run speaks, so that it misses nothing. */
export class LogRunFeed implements RunFeed, Watcher {
  readonly #session: Session
  readonly #runId: string
  #cursor: Cursor
  #inside = false
  #over = false
  #failure: ParleyError | undefined
  #wake: (() => void) | undefined

  constructor(session: Session, runId: string) {
    this.#session = session
    this.#runId = runId
    session.active?.flush()
    this.#cursor = session.log.head
    session.attach(this)
  }

  async next(): Promise<readonly Event[] | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#over) return undefined
      const events = this.#read()
      if (events.length > 0) return events
      if (this.#isGone()) return this.close()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): undefined {
    if (!this.#over) this.#session.detach(this)
    this.#over = true
    this.#wake?.()
  }

  moved(): void {
    this.#wake?.()
  }

  end(error: ParleyError): void {
    this.#failure = error
    this.close()
  }

  /** What still waits may be started here, and all of it is told then. */
  replaced(): void {
    if (this.#waits()) this.skipped()
    else this.#leave()
  }

  skipped(): void {
    if (this.#waits()) this.#cursor = this.#session.log.head
  }

  taken(runIds: ReadonlySet<string>): void {
    if (runIds.has(this.#runId)) this.#leave()
  }

  /** Another process has it on: its events are not here. */
  #leave(): void {
    this.end(wentOn())
  }

  #read(): readonly Event[] {
    const read = this.#session.log.read(this.#cursor, READ_ENTRIES)
    if (read.kind === 'gap') throw new ParleyError('slow_consumer')
    const last = read.entries.at(-1)
    if (last !== undefined) this.#cursor = { ...this.#cursor, seq: last.last }
    const events: Event[] = []
    for (const { event } of read.entries) {
      if (event.type === 'RUN_STARTED') this.#inside = event.runId === this.#runId
      if (!this.#inside) continue
      events.push(event)
      if (event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR') {
        this.close()
        break
      }
    }
    // More to read of other runs: without waiting for anything new.
    return events.length === 0 && read.entries.length > 0 ? this.#read() : events
  }

  /** It left the queue without a start. */
  #isGone(): boolean {
    return this.#session.active?.runId !== this.#runId && !this.#waits()
  }

  #waits(): boolean {
    return isQueued(this.#session, this.#runId)
  }
}
