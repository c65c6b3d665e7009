import { WebSocket } from 'ws'
import { reconnectDelay } from '../../clients/core/backoff.ts'
import { decodeServerFrame } from '../../src/protocol/codec.ts'
import type { CommandInput } from '../../src/protocol/commands.ts'
import { isRetryableClose } from '../../src/protocol/errors.ts'
import type { Ack, ErrorFrame } from '../../src/protocol/frames.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { formatCursor } from '../../src/protocol/ids.ts'
import { WireAudit } from '../support/wire-audit.ts'
import type { Oracle } from './clients-script.ts'
import { Story } from './clients-story.ts'
import type { Frame, Line, View } from './clients-view.ts'

/** What came of a command; `cut`: the connection ended before its answer. */
export type Answer = Ack | ErrorFrame | 'cut'

/** Milliseconds before attempt `attempt` (from 1), not before `floorMs`. */
export type Wait = (attempt: number, floorMs: number) => number

export type PeerOptions = {
  readonly name: string
  readonly port: number
  readonly session: string
  readonly view: View
  readonly oracle: Oracle
  readonly wait: Wait
}

/** As the protocol asks (P-24): doubling, with full jitter. */
export const prescribed =
  (random: () => number): Wait =>
  (attempt, floorMs) =>
    reconnectDelay(attempt, random(), floorMs)

/** A client of one session that always comes back, and holds all it sees against the rules and the model's script. */
export class Peer {
  readonly name: string
  readonly view: View
  readonly story = new Story()
  readonly faults: string[] = []
  /** Codes that its connections were closed with. */
  readonly closes: number[] = []
  /** Sockets that were opened, and those that got `session.ready`. */
  readonly counts = { attempts: 0, readies: 0, judged: 0 }
  /** When the newest `session.ready` came, in ms of `performance.now()`. */
  readyAt: number | undefined
  readonly #options: PeerOptions
  readonly #waiting = new Map<string, (answer: Answer) => void>()
  readonly #watchers = new Set<() => void>()
  #socket: WebSocket | undefined
  #audit = new WireAudit()
  #phase: 'down' | 'ready' | 'synced' | 'left' = 'down'
  /** What says that all that this client had missed has come (P-27, P-28). */
  #awaits = ''
  #attempt = 0
  #floorMs = 0
  #refs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: PeerOptions) {
    this.#options = options
    this.name = options.name
    this.view = options.view
  }

  get ready(): boolean {
    return this.#phase === 'ready' || this.#phase === 'synced'
  }

  /** At the head, with nothing on, nothing waiting, and no command of its own without an answer. */
  get atRest(): boolean {
    const { status, queue } = this.view.standing
    if (this.#waiting.size > 0) return false
    return this.#phase === 'synced' && status !== 'processing' && queue.length === 0 && this.view.cursor !== undefined
  }

  connect(): void {
    const { port, session } = this.#options
    const { cursor } = this.view
    this.story.asks(cursor)
    this.#audit = new WireAudit()
    this.counts.attempts++
    const query = cursor === undefined ? '' : `&cursor=${formatCursor(cursor)}`
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?app=default${query}`, offerProtocols(session), {
      perMessageDeflate: false,
    })
    this.#socket = socket
    socket.on('message', (data) => {
      if (socket === this.#socket && Buffer.isBuffer(data)) this.#hear(data.toString())
    })
    // What is wrong shows in the close that follows.
    socket.on('error', () => undefined)
    socket.on('close', (code) => {
      if (socket === this.#socket) this.#down(code)
    })
  }

  /** The network is gone for this client; it gives the socket up and comes back on another. */
  giveUp(): void {
    const socket = this.#socket
    // Already on its way back.
    if (socket === undefined) return
    this.#down(1006)
    socket.terminate()
  }

  leave(): void {
    const socket = this.#socket
    this.#phase = 'left'
    this.#socket = undefined
    this.#audited()
    clearTimeout(this.#timer)
    for (const answer of this.#waiting.values()) answer('cut')
    this.#waiting.clear()
    socket?.terminate()
  }

  /** `cut` when there is no connection. */
  ask(command: (id: string) => CommandInput): Promise<Answer> {
    const socket = this.#socket
    if (!this.ready || socket === undefined) return Promise.resolve('cut')
    const id = `${++this.#refs}`
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      socket.send(JSON.stringify(command(id)))
    })
  }

  /** True when `holds` does, looked at after everything that happens; false when it did not within `ms`. */
  until(holds: () => boolean, ms: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const done = (held: boolean): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve(held)
      }
      const look = (): void => {
        if (holds()) done(true)
      }
      const timer = setTimeout(() => done(false), ms)
      this.#watchers.add(look)
    })
  }

  #hear(text: string): void {
    const frame = decodeServerFrame(text)
    if (frame === undefined) return this.#fault(`not a frame of the protocol: ${text.slice(0, 100)}`)
    this.#audit.see(frame, text)
    this.story.see(frame)
    this.view.see(frame)
    this.#judge(frame)
    if ('type' in frame) this.#control(frame)
    this.#changed()
  }

  #control(frame: Exclude<Frame, { chunk: unknown }>): void {
    switch (frame.type) {
      case 'session.ready':
        this.#phase = 'ready'
        this.#awaits = frame.resumed === 'tail' ? 'session.status' : 'session.snapshot'
        this.readyAt = performance.now()
        this.counts.readies++
        this.#attempt = 0
        this.#floorMs = 0
        return
      case 'session.snapshot':
      case 'session.status':
        if (frame.type === this.#awaits) this.#phase = 'synced'
        return
      case 'server.draining':
        this.#floorMs = frame.reconnectInMs
        return
      case 'ack':
      case 'error':
        this.#waiting.get(frame.ref ?? '')?.(frame)
        this.#waiting.delete(frame.ref ?? '')
        return
      default:
    }
  }

  /** Holds what changed against what the model was scripted to say: nothing missing, nothing twice, in order (I6). */
  #judge(frame: Frame): void {
    const changed =
      'chunk' in frame && 'delta' in frame.chunk && 'messageId' in frame.chunk ? frame.chunk.messageId : undefined
    const whole = 'type' in frame && frame.type === 'session.snapshot'
    if (changed === undefined && !whole) return
    for (const line of this.view.lines) if (whole || line.id === changed) this.#judgeLine(line)
  }

  #judgeLine({ id, role, content }: Line): void {
    if (role !== 'assistant' && role !== 'reasoning') return
    this.counts.judged++
    const verdict = this.#options.oracle.judge(role, content)
    if (verdict !== undefined) this.#fault(`I6 message ${id}: ${verdict}`)
  }

  #down(code: number): void {
    this.#socket = undefined
    this.#phase = 'down'
    this.closes.push(code)
    this.#audited()
    if (code !== 1006 && !isRetryableClose(code)) this.#fault(`closed for good with ${code}`)
    for (const answer of this.#waiting.values()) answer('cut')
    this.#waiting.clear()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.connect(), this.#options.wait(++this.#attempt, this.#floorMs))
    this.#changed()
  }

  #audited(): void {
    for (const fault of this.#audit.faults.splice(0)) this.#fault(fault)
  }

  #fault(what: string): void {
    this.faults.push(`${this.name}: ${what}`)
  }

  #changed(): void {
    for (const look of this.#watchers) look()
  }
}
