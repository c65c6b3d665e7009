import type { SendResult, Socket, SocketHandler } from '../../src/ports/transport.ts'
import { decodeServerFrame } from '../../src/protocol/codec.ts'
import type { CommandInput } from '../../src/protocol/commands.ts'
import { ERRORS } from '../../src/protocol/errors.ts'
import type { Event, TerminalEvent } from '../../src/protocol/events.ts'
import type { Ack, ControlFrame, Envelope, ErrorFrame } from '../../src/protocol/frames.ts'
import { WireAudit } from './wire-audit.ts'

export type Frame = ControlFrame | Envelope
export type ControlOf<T extends ControlFrame['type']> = Extract<ControlFrame, { type: T }>
export type EnvelopeOf<T extends Event['type']> = Envelope & { chunk: Extract<Event, { type: T }> }
type Waiter = { readonly matches: (frame: Frame) => boolean; readonly resolve: (frame: Frame) => void }
type Closed = { readonly code: number; readonly reason: string }

/** What a transport ends a member of a group with when its buffer is full. */
const SLOW_CLOSE = ERRORS.slow_consumer.close

/** The transport's side of a group, shared by the sockets of one test. */
export class FakeGroups {
  readonly #members = new Map<string, Set<FakeSocket>>()

  join(group: string, socket: FakeSocket): void {
    const members = this.#members.get(group) ?? new Set()
    this.#members.set(group, members.add(socket))
  }

  leave(group: string, socket: FakeSocket): void {
    this.#members.get(group)?.delete(socket)
  }

  sizeOf(group: string): number {
    return this.#members.get(group)?.size ?? 0
  }

  broadcast(group: string, text: string): void {
    for (const socket of this.#members.get(group) ?? [])
      if (socket.send(text) === 'dropped') socket.close(SLOW_CLOSE, 'slow_consumer')
  }
}

/**
 * A socket whose peer is the test: frames are parsed by the wire's own schema and held against its rules, and the test
 * decides what the peer reads.
 */
export class FakeSocket implements Socket {
  readonly frames: Frame[] = []
  readonly texts: string[] = []
  readonly audit = new WireAudit()
  closedWith: Closed | undefined
  pings = 0
  /** While true nothing leaves: bytes pile up in `buffered`. */
  stalled = false
  /** Bytes above which frames are dropped. */
  limit = Number.POSITIVE_INFINITY
  /** Called with every frame that the peer reads. */
  onFrame: ((frame: Frame) => void) | undefined
  readonly #groups: FakeGroups
  readonly #handler: SocketHandler
  readonly #joined = new Set<string>()
  #held: string[] = []
  #waiters: Waiter[] = []
  #onClosed: (() => void) | undefined
  #refs = 0

  constructor(groups: FakeGroups, handler: SocketHandler) {
    this.#groups = groups
    this.#handler = handler
  }

  send(text: string): SendResult {
    if (this.closedWith !== undefined) return 'dropped'
    if (!this.stalled) {
      this.#deliver(text)
      return 'sent'
    }
    if (this.buffered() + text.length > this.limit) return 'dropped'
    this.#held.push(text)
    return 'queued'
  }

  together(work: () => void): void {
    work()
  }

  buffered(): number {
    return this.#held.reduce((sum, text) => sum + text.length, 0)
  }

  close(code: number, reason: string): void {
    if (this.closedWith !== undefined) return
    for (const text of this.#held.splice(0)) this.#deliver(text)
    this.#end({ code, reason })
  }

  ping(): void {
    this.pings++
  }

  join(group: string): void {
    this.#joined.add(group)
    this.#groups.join(group, this)
  }

  leave(group: string): void {
    this.#joined.delete(group)
    this.#groups.leave(group, this)
  }

  // What the test does as the peer.

  /** Reads everything that waits and goes on reading. */
  read(): void {
    if (this.closedWith !== undefined) return
    this.stalled = false
    for (const text of this.#held.splice(0)) this.#deliver(text)
    this.#handler.drained()
  }

  /** Reads what waits, then stalls again: a slow peer. */
  sip(): void {
    if (this.closedWith !== undefined) return
    for (const text of this.#held.splice(0)) this.#deliver(text)
    this.#handler.drained()
  }

  /** Leaves without a word; what was on its way is lost. */
  cut(): void {
    this.#held = []
    if (this.closedWith === undefined) this.#end({ code: 1006, reason: '' })
  }

  command(command: CommandInput): void {
    this.raw(JSON.stringify(command))
  }

  raw(text: string): void {
    if (this.closedWith === undefined) this.#handler.received(text)
  }

  binary(): void {
    this.#handler.receivedBinary()
  }

  pong(): void {
    this.#handler.alive()
  }

  /** Sends the command with an id and gives the frame that answers it. */
  ask(command: CommandInput): Promise<Ack | ErrorFrame> {
    const ref = `ref-${++this.#refs}`
    this.command({ ...command, id: ref })
    return this.frame(
      (frame): frame is Ack | ErrorFrame =>
        'type' in frame && (frame.type === 'ack' || frame.type === 'error') && frame.ref === ref,
    )
  }

  /** A message that is sent with the defaults; gives its acknowledgement or error. */
  say(clientMessageId: string, content = `text of ${clientMessageId}`): Promise<Ack | ErrorFrame> {
    return this.ask({ type: 'message.send', clientMessageId, content })
  }

  /** The first frame from `from` on, seen or still to come, that matches. */
  async frame<F extends Frame>(matches: (frame: Frame) => frame is F, from = 0): Promise<F> {
    const seen = this.frames.slice(from).find(matches)
    if (seen !== undefined) return seen
    return new Promise((resolve) => {
      this.#waiters.push({ matches, resolve: (frame) => matches(frame) && resolve(frame) })
    })
  }

  control<T extends ControlFrame['type']>(type: T, from = 0): Promise<ControlOf<T>> {
    return this.frame((frame): frame is ControlOf<T> => 'type' in frame && frame.type === type, from)
  }

  event<T extends Event['type']>(type: T, from = 0): Promise<EnvelopeOf<T>> {
    return this.frame((frame): frame is EnvelopeOf<T> => 'chunk' in frame && frame.chunk.type === type, from)
  }

  /** The nth terminal event (from 0), once the status after it was told, too. */
  async end(nth = 0): Promise<TerminalEvent> {
    const terminals = (): number[] => this.frames.flatMap((frame, index) => (isTerminal(frame) ? [index] : []))
    while (terminals()[nth] === undefined) {
      const seen = this.frames.length
      await this.frame((frame): frame is Envelope => isTerminal(frame), seen)
    }
    const index = terminals()[nth] ?? 0
    await this.control('session.status', index)
    const frame = this.frames[index]
    if (frame === undefined || !isTerminal(frame)) throw new Error('no terminal event')
    return frame.chunk
  }

  closed(): Promise<Closed> {
    if (this.closedWith !== undefined) return Promise.resolve(this.closedWith)
    return new Promise((resolve) => {
      this.#onClosed = () => this.closedWith !== undefined && resolve(this.closedWith)
    })
  }

  /** Events with and without ids, in order. */
  get events(): Event[] {
    return this.frames.flatMap((frame) => ('chunk' in frame ? [frame.chunk] : []))
  }

  get types(): Event['type'][] {
    return this.events.map(({ type }) => type)
  }

  get ids(): string[] {
    return this.frames.flatMap((frame) => ('chunk' in frame && frame.id !== undefined ? [frame.id] : []))
  }

  get terminals(): TerminalEvent[] {
    return this.frames.flatMap((frame) => (isTerminal(frame) ? [frame.chunk] : []))
  }

  controls<T extends ControlFrame['type']>(type: T): ControlOf<T>[] {
    return this.frames.filter((frame): frame is ControlOf<T> => 'type' in frame && frame.type === type)
  }

  /** The newest of its type so far. */
  last<T extends ControlFrame['type']>(type: T): ControlOf<T> | undefined {
    return this.controls(type).at(-1)
  }

  /** The text that the deltas of every message add up to. */
  get text(): string {
    return this.events.map((event) => (event.type === 'TEXT_MESSAGE_CONTENT' ? event.delta : '')).join('')
  }

  #end(closed: Closed): void {
    this.closedWith = closed
    for (const group of this.#joined) this.#groups.leave(group, this)
    this.#joined.clear()
    // Calls of the handler are never nested.
    queueMicrotask(() => this.#handler.closed(closed.code))
    this.#onClosed?.()
  }

  #deliver(text: string): void {
    const frame = decodeServerFrame(text)
    if (frame === undefined) throw new Error(`not a frame of the protocol: ${text}`)
    this.audit.see(frame, text)
    this.texts.push(text)
    this.frames.push(frame)
    this.onFrame?.(frame)
    for (const waiter of this.#waiters.splice(0)) {
      if (waiter.matches(frame)) waiter.resolve(frame)
      else this.#waiters.push(waiter)
    }
  }
}

function isTerminal(frame: Frame): frame is Envelope & { chunk: TerminalEvent } {
  return 'chunk' in frame && (frame.chunk.type === 'RUN_FINISHED' || frame.chunk.type === 'RUN_ERROR')
}
