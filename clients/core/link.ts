import { decodeServerFrame } from '../../src/protocol/codec.ts'
import type { CommandInput } from '../../src/protocol/commands.ts'
import { ERRORS, isRetryableClose } from '../../src/protocol/errors.ts'
import type { ControlFrame, Envelope, ErrorFrame } from '../../src/protocol/frames.ts'
import type { Environment, Socket, Timer } from './environment.ts'

/** Milliseconds from opening to `session.ready`: the server's own bound is 10 s, and the way there takes time, too. */
const HANDSHAKE_TIMEOUT_MS = 15_000
/** The server pings every `heartbeatMs`; half of one more and the slack below may pass before the socket counts as dead. */
const HEARTBEAT_FACTOR = 1.5
/** Milliseconds for a ping that is late on a bad line. */
const HEARTBEAT_SLACK_MS = 10_000

export type Why = { readonly code: string; readonly message: string }

/** How a link ended (P-24). `floorMs`: the server asked not to be called before that. */
export type Down = { readonly final: boolean; readonly why: Why; readonly floorMs: number }

export type LinkEvents = {
  readonly onFrame: (frame: ControlFrame | Envelope) => void
  /** Once. Not after `close()`. */
  readonly onDown: (down: Down) => void
}

const UNREACHABLE: Why = { code: 'unreachable', message: 'The server cannot be reached' }
const CONNECTION_LOST: Why = { code: 'connection_lost', message: 'The connection was lost' }
const SILENT: Why = { code: 'silent', message: 'Nothing was heard from the server' }

type Life = 'opening' | 'ready' | 'down'

/** One socket, from opening to its end: reads frames, watches for silence, and says why it went. */
export class Link {
  readonly #environment: Environment
  readonly #events: LinkEvents
  readonly #socket: Socket
  #life: Life = 'opening'
  #heardAt: number
  #patienceMs = HANDSHAKE_TIMEOUT_MS
  #watch: Timer
  /** The verdict that comes before a close. */
  #verdict: ErrorFrame | undefined
  #drainMs: number | undefined

  constructor(environment: Environment, url: string, protocols: readonly string[], events: LinkEvents) {
    this.#environment = environment
    this.#events = events
    this.#heardAt = environment.now()
    this.#watch = environment.setTimeout(() => this.#look(), this.#patienceMs)
    this.#socket = environment.openSocket(url, protocols, {
      onMessage: (text) => this.#onMessage(text),
      onClose: (code) => this.#onClose(code),
    })
  }

  send(command: CommandInput): void {
    if (this.#life === 'ready') this.#socket.send(JSON.stringify(command))
  }

  /** Timers stand still while a device sleeps or a page is frozen, the wall clock does not: whether the silence has lasted too long by now. */
  check(): void {
    if (this.#life === 'ready' && this.#leftMs() <= 0) this.#presumeDead()
  }

  /** Closes without a word to `onDown`. */
  close(): void {
    if (this.#life === 'down') return
    this.#finish()
  }

  #onMessage(text: string): void {
    if (this.#life === 'down') return
    this.#heardAt = this.#environment.now()
    const frame = readFrame(text)
    if (frame === undefined) return
    if (!('chunk' in frame)) this.#note(frame)
    this.#events.onFrame(frame)
  }

  #note(frame: ControlFrame): void {
    if (frame.type === 'error' && frame.ref === undefined) this.#verdict = frame
    if (frame.type === 'server.draining') this.#drainMs = frame.reconnectInMs
    if (frame.type !== 'session.ready') return
    this.#life = 'ready'
    this.#patienceMs = frame.heartbeatMs * HEARTBEAT_FACTOR + HEARTBEAT_SLACK_MS
    this.#environment.clearTimeout(this.#watch)
    this.#look()
  }

  /** Waits for the rest of the patience; when it is used up, the socket is presumed dead. */
  #look(): void {
    const left = this.#leftMs()
    if (left > 0) this.#watch = this.#environment.setTimeout(() => this.#look(), left)
    else this.#presumeDead()
  }

  #leftMs(): number {
    // Its clock may have been set back.
    return Math.min(this.#heardAt - this.#environment.now(), 0) + this.#patienceMs
  }

  /** A dead socket may take minutes to close: it is left to itself. */
  #presumeDead(): void {
    const why = this.#life === 'opening' ? UNREACHABLE : SILENT
    this.#down({ final: false, why, floorMs: 0 })
  }

  #onClose(code: number): void {
    if (this.#life === 'down') return
    const verdict = this.#verdict !== undefined && closesWith(this.#verdict.code, code) ? this.#verdict : undefined
    this.#down({
      final: !isRetryableClose(code),
      why: verdict === undefined ? this.#reasonOf(code) : { code: verdict.code, message: verdict.message },
      floorMs: this.#drainMs ?? verdict?.retryAfterMs ?? 0,
    })
  }

  #reasonOf(code: number): Why {
    if (this.#drainMs !== undefined) return { code: 'draining', message: ERRORS.draining.message }
    return rowOf(code) ?? (this.#life === 'opening' ? UNREACHABLE : CONNECTION_LOST)
  }

  #down(down: Down): void {
    this.#finish()
    this.#events.onDown(down)
  }

  #finish(): void {
    this.#life = 'down'
    this.#environment.clearTimeout(this.#watch)
    this.#socket.close()
  }
}

/** An error that did not close the connection was about something else. */
function closesWith(errorCode: string, closeCode: number): boolean {
  const row = Object.entries(ERRORS).find(([name]) => name === errorCode)?.[1]
  return row === undefined || ('close' in row && row.close === closeCode)
}

/** The first row of the error table that closes with `code`. */
function rowOf(code: number): Why | undefined {
  const found = Object.entries(ERRORS).find(([, row]) => 'close' in row && row.close === code)
  return found === undefined ? undefined : { code: found[0], message: found[1].message }
}

/** What a newer server says and this client cannot read is passed over. */
function readFrame(text: string): ControlFrame | Envelope | undefined {
  try {
    return decodeServerFrame(text)
  } catch {
    return undefined
  }
}
