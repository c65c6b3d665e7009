import type { Event } from '../../src/protocol/events.ts'
import type { Envelope, SessionReady } from '../../src/protocol/frames.ts'
import { type Cursor, formatCursor, parseCursor } from '../../src/protocol/ids.ts'
import type { Frame } from './clients-view.ts'

/** The newest frames are told when a run has no end, each with so many characters. */
const [RECENT, FRAME_CHARS] = [8, 300]

/** How a client heard that a run ended. */
export type Heard = 'success' | 'cancelled' | 'error'

/**
 * Holds all that one client sees, over all its connections, against the rules of resume: within an epoch numbers only grow
 * (I6), nothing has content before its start, a run starts once and ends once (I1).
 */
export class Story {
  readonly faults: string[] = []
  /** Ends by run, as events told them. */
  readonly ends = new Map<string, Heard>()
  readonly #started = new Set<string>()
  readonly #open = new Set<string>()
  #cursor: Cursor | undefined
  #asked: string | undefined
  #run: string | undefined
  #replaced = false
  /** The snapshot that `session.ready` announced is still to come. */
  #opening = false
  /** Since then another one came: it tells what another process did (P-62). */
  #told = false
  readonly #recent: string[] = []
  /** Numbered events, and handshakes that were answered by a tail or by a snapshot. */
  readonly counts = { events: 0, tails: 0, snapshots: 0 }

  /** A handshake goes out with this cursor. */
  asks(cursor: Cursor | undefined): void {
    this.#asked = cursor === undefined ? undefined : formatCursor(cursor)
  }

  see(frame: Frame): void {
    this.#recent.push(
      'chunk' in frame ? `${frame.id} ${frame.chunk.type}` : JSON.stringify(frame).slice(0, FRAME_CHARS),
    )
    if (this.#recent.length > RECENT) this.#recent.shift()
    if ('chunk' in frame) return this.#envelope(frame)
    if (frame.type === 'session.ready') return this.#ready(frame)
    if (frame.type === 'session.snapshot') return this.#snapshot()
    // P-62: the run of another process has ended; no event of it comes.
    if (frame.type === 'session.status' && this.#told && frame.runId === undefined) this.#run = undefined
  }

  /** A run that started here and was never heard to end, and what was heard last. */
  get unended(): string | undefined {
    return this.#run === undefined ? undefined : `${this.#run} after ${this.#recent.join(' | ')}`
  }

  /** It was on in the process that this client is connected to now: its events came from there. */
  wasHere(runId: string): boolean {
    return this.#started.has(runId)
  }

  #fault(what: string, detail: unknown): void {
    this.faults.push(`${what}: ${JSON.stringify(detail).slice(0, 200)} (at ${JSON.stringify(this.#cursor)})`)
  }

  #ready({ epoch, seq, resumed, runId }: SessionReady): void {
    const at = { epoch, seq }
    this.#opening = resumed !== 'tail'
    this.#told = false
    if (resumed === 'tail') {
      this.counts.tails++
      if (formatCursor(at) !== this.#asked)
        this.#fault('I6 a tail that is not after the cursor', { at, asked: this.#asked })
      return
    }
    this.counts.snapshots++
    const before = this.#cursor
    if (before?.epoch === epoch && seq < before.seq) this.#fault('I6 a snapshot from before the cursor', at)
    this.#cursor = at
    this.#open.clear()
    this.#replaced = true
    // How a run ended that is not on any more is in the snapshot.
    if (runId !== this.#run) this.#run = undefined
    if (before?.epoch !== epoch) this.#started.clear()
  }

  #snapshot(): void {
    this.#told = !this.#opening
    this.#opening = false
    if (this.#told) this.#open.clear()
  }

  #envelope({ id, chunk }: Envelope): void {
    if (id === undefined) {
      if (!this.#replaced) this.#fault('P-29 an opening without a snapshot', chunk)
      return this.#event(chunk, false)
    }
    this.#replaced = false
    this.counts.events++
    const next = parseCursor(id)
    if (next === undefined || next.epoch !== this.#cursor?.epoch || next.seq <= this.#cursor.seq)
      this.#fault('I6 a number that does not grow', { id, chunk })
    this.#cursor = next
    this.#event(chunk, true)
  }

  #event(event: Event, numbered: boolean): void {
    if (event.type === 'RUN_STARTED') return this.#begin(event.runId, numbered)
    if (this.#run === undefined) this.#fault('I1 an event outside a run', event)
    if (event.type === 'RUN_FINISHED')
      return this.#end(event.outcome.type === 'cancelled' ? 'cancelled' : 'success', event.runId)
    if (event.type === 'RUN_ERROR') return this.#end('error', this.#run)
    const item = itemOf(event)
    if (item === undefined) return
    if (event.type.endsWith('_START')) {
      if (this.#open.has(item)) this.#fault('I6 started twice', event)
      this.#open.add(item)
    } else if (!this.#open.has(item)) this.#fault('I6 an event before its start', event)
    if (event.type.endsWith('_END')) this.#open.delete(item)
  }

  #begin(runId: string, numbered: boolean): void {
    if (numbered && this.#run !== undefined) this.#fault('I1 a run in a run', { runId, in: this.#run })
    if (numbered && this.#started.has(runId)) this.#fault('I6 a run that starts twice', runId)
    this.#started.add(runId)
    this.#run = runId
  }

  #end(end: Heard, runId: string | undefined): void {
    if (this.#open.size > 0) this.#fault('I1 an end with open items', [...this.#open])
    if (runId !== this.#run) this.#fault('I1 the end of another run', { runId, in: this.#run })
    if (runId !== undefined && this.ends.has(runId)) this.#fault('I1 a second end', runId)
    if (runId !== undefined) this.ends.set(runId, end)
    this.#run = undefined
    this.#open.clear()
  }
}

/** The item that opens before it has content; undefined for events that stand alone. */
function itemOf(event: Event): string | undefined {
  switch (event.type) {
    case 'TEXT_MESSAGE_START':
    case 'TEXT_MESSAGE_CONTENT':
    case 'TEXT_MESSAGE_END':
      return `text ${event.messageId}`
    case 'REASONING_START':
    case 'REASONING_END':
      return `reasoning ${event.messageId}`
    case 'REASONING_MESSAGE_START':
    case 'REASONING_MESSAGE_CONTENT':
    case 'REASONING_MESSAGE_END':
      return `thought ${event.messageId}`
    case 'TOOL_CALL_START':
    case 'TOOL_CALL_ARGS':
    case 'TOOL_CALL_END':
      return `call ${event.toolCallId}`
    default:
      return undefined
  }
}
