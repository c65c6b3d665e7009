import type { Event } from '../../src/protocol/events.ts'
import type { ControlFrame, Envelope } from '../../src/protocol/frames.ts'
import { type Cursor, parseCursor } from '../../src/protocol/ids.ts'
import { MAX_OUTBOUND_FRAME_BYTES } from '../../src/protocol/limits.ts'
import { utf8Length } from '../../src/protocol/text.ts'

/** `unknown`: a tail may begin inside a run that only the client's earlier connection knows. */
type Place = 'unknown' | 'between' | 'in-run'

/**
 * Holds what one connection is sent against the rules of the wire: order of frames, numbers, and the grammar of events
 * (I1: one terminal event a run, nothing open at it, nothing after it; I6: nothing without its start, nothing twice).
 */
export class WireAudit {
  readonly faults: string[] = []
  #cursor: Cursor | undefined
  #place: Place = 'between'
  #awaitsSnapshot = false
  #refused = false
  #synthetic = false
  /** Runs told to have started, and how they were acknowledged. */
  readonly #started = new Set<string>()
  readonly #open = new Set<string>()
  readonly #results = new Set<string>()

  see(frame: ControlFrame | Envelope, text: string): void {
    if (utf8Length(text) > MAX_OUTBOUND_FRAME_BYTES) this.#fault('frame over 256 KiB', `${utf8Length(text)} bytes`)
    if ('chunk' in frame) this.#envelope(frame)
    else this.#control(frame)
  }

  #fault(what: string, detail: unknown): void {
    this.faults.push(`${what}: ${JSON.stringify(detail)?.slice(0, 200)}`)
  }

  #control(frame: ControlFrame): void {
    if (this.#awaitsSnapshot && frame.type !== 'session.snapshot') this.#fault('no snapshot after ready', frame)
    this.#awaitsSnapshot = false
    if (frame.type === 'session.ready') {
      if (this.#cursor !== undefined) this.#fault('ready twice', frame)
      this.#cursor = { epoch: frame.epoch, seq: frame.seq }
      this.#awaitsSnapshot = frame.resumed !== 'tail'
      this.#place = frame.resumed === 'tail' ? 'unknown' : 'between'
      this.#synthetic = frame.resumed !== 'tail'
    } else if (frame.type === 'error' && this.#cursor === undefined) this.#refused = true
    else if (this.#cursor === undefined && !this.#refused && frame.type !== 'server.draining')
      this.#fault('before ready', frame)
    else if (
      frame.type === 'ack' &&
      frame.state === 'started' &&
      frame.duplicate === false &&
      frame.runId !== undefined
    )
      if (this.#started.has(frame.runId)) this.#fault('RUN_STARTED before its ack', frame)
  }

  #envelope({ id, chunk }: Envelope): void {
    if (this.#awaitsSnapshot || this.#cursor === undefined) this.#fault('event before the state it builds on', chunk)
    if (id === undefined) {
      if (!this.#synthetic) this.#fault('synthetic event after a numbered one', chunk)
    } else {
      this.#synthetic = false
      const next = parseCursor(id)
      if (next === undefined || next.epoch !== this.#cursor?.epoch || next.seq <= this.#cursor.seq)
        this.#fault('id does not increase', { id, after: this.#cursor })
      else this.#cursor = next
    }
    this.#event(chunk)
  }

  #event(event: Event): void {
    if (event.type === 'RUN_STARTED') return this.#runStarted(event.runId)
    if (this.#place === 'between') this.#fault('event outside a run', event)
    switch (event.type) {
      case 'RUN_FINISHED':
      case 'RUN_ERROR':
        if (this.#open.size > 0) this.#fault('terminal with open items', [...this.#open])
        this.#place = 'between'
        this.#open.clear()
        return
      case 'TEXT_MESSAGE_START':
        return this.#start(`text ${event.messageId}`)
      case 'TEXT_MESSAGE_CONTENT':
        return this.#inside(`text ${event.messageId}`)
      case 'TEXT_MESSAGE_END':
        return this.#end(`text ${event.messageId}`)
      case 'REASONING_START':
        return this.#start(`reasoning ${event.messageId}`)
      case 'REASONING_MESSAGE_START':
        return this.#start(`thought ${event.messageId}`)
      case 'REASONING_MESSAGE_CONTENT':
        return this.#inside(`thought ${event.messageId}`)
      case 'REASONING_MESSAGE_END':
        return this.#end(`thought ${event.messageId}`)
      case 'REASONING_END':
        return this.#end(`reasoning ${event.messageId}`)
      case 'TOOL_CALL_START':
        return this.#start(`call ${event.toolCallId}`)
      case 'TOOL_CALL_ARGS':
        return this.#inside(`call ${event.toolCallId}`)
      case 'TOOL_CALL_END':
        return this.#end(`call ${event.toolCallId}`)
      case 'TOOL_CALL_RESULT':
        if (this.#open.has(`call ${event.toolCallId}`)) this.#fault('result of an open call', event)
        if (this.#results.has(event.toolCallId)) this.#fault('result twice', event)
        this.#results.add(event.toolCallId)
        return
      case 'CUSTOM':
      case 'MESSAGES_SNAPSHOT':
        return
      default:
        event satisfies never
    }
  }

  #runStarted(runId: string): void {
    if (this.#place === 'in-run') this.#fault('RUN_STARTED in a run', runId)
    if (this.#started.has(runId)) this.#fault('run started twice', runId)
    this.#started.add(runId)
    this.#results.clear()
    this.#place = 'in-run'
  }

  #start(item: string): void {
    if (this.#open.has(item)) this.#fault('started twice', item)
    this.#open.add(item)
  }

  #inside(item: string): void {
    if (this.#place === 'in-run' && !this.#open.has(item)) this.#fault('content without start', item)
  }

  #end(item: string): void {
    if (!this.#open.delete(item) && this.#place === 'in-run') this.#fault('end without start', item)
  }
}
