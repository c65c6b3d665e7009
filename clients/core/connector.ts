import type { CommandInput } from '../../src/protocol/commands.ts'
import { ERRORS } from '../../src/protocol/errors.ts'
import type { ControlFrame, Envelope } from '../../src/protocol/frames.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { type Cursor, formatCursor } from '../../src/protocol/ids.ts'
import { reconnectDelay } from './backoff.ts'
import { type CredentialOption, CredentialSource, fitsSubprotocol, SignedOutError } from './credential-source.ts'
import type { Environment, Timer } from './environment.ts'
import { type Down, Link, type Why } from './link.ts'

/** Milliseconds a connection must have held for the next cut to count as the first again. */
const STABLE_MS = 5_000

/** Milliseconds that the page's source of credentials may take: as long as a handshake. */
const CREDENTIAL_TIMEOUT_MS = 15_000
/** The page's own source of credentials failed, or said nothing. */
const FAILED = 'failed' as const
const NO_CREDENTIAL: Why = { code: 'unreachable', message: 'The page could not sign in to the chat' }
/** It says that nobody is signed in. */
const SIGNED_OUT = 'signed_out' as const
const OFFLINE: Why = { code: 'offline', message: 'This device is offline' }

export type ConnectionState =
  | { readonly phase: 'closed' }
  /** `attempt` 0 is the first connect; later ones follow a cut, and `why` says which. */
  | { readonly phase: 'connecting'; readonly attempt: number; readonly why?: Why }
  /** `draining`: the server is about to restart and takes nothing new. */
  | { readonly phase: 'ready'; readonly draining: boolean }
  /** Waits for the next attempt, at `retryAt` (milliseconds since 1970), which was `inMs` away when the wait began. */
  | {
      readonly phase: 'reconnecting'
      readonly attempt: number
      readonly inMs: number
      readonly retryAt: number
      readonly why: Why
    }
  /** Trying again by itself would not help. */
  | { readonly phase: 'refused'; readonly code: string; readonly message: string }

export type ConnectorOptions = {
  /** The server's socket, `wss://host/ws`. */
  readonly url: string
  readonly app: string
  readonly sessionId: string
  readonly credential?: CredentialOption
  readonly environment: Environment
}

export type ConnectorEvents = {
  readonly onState: (state: ConnectionState) => void
  readonly onFrame: (frame: ControlFrame | Envelope) => void
  /** Where the next connection goes on from. */
  readonly cursor: () => Cursor | undefined
}

/** Keeps one session connected: opens links, waits between attempts, and gives up where the server's verdict is final. */
export class Connector {
  readonly #options: ConnectorOptions
  readonly #events: ConnectorEvents
  readonly #credentials: CredentialSource
  #state: ConnectionState = { phase: 'closed' }
  #link: Link | undefined
  #timer: Timer
  #attempt = 0
  #readyAt = 0
  /** Counts attempts, so that a credential that comes too late opens nothing. */
  #era = 0
  #unwatch: (() => void) | undefined

  constructor(options: ConnectorOptions, events: ConnectorEvents) {
    this.#options = options
    this.#events = events
    this.#credentials = new CredentialSource(options.credential)
  }

  /** Connects now: for the first time, after a refusal, or instead of waiting. Does nothing when there is a connection. */
  connect(): void {
    const state = this.#state
    if (state.phase === 'ready' || state.phase === 'connecting') return
    if (state.phase !== 'reconnecting') this.#attempt = 0
    this.#unwatch ??= this.#watch()
    void this.#open(state.phase === 'reconnecting' ? state.why : undefined)
  }

  close(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#leave()
    this.#become({ phase: 'closed' })
  }

  /** False when there is no connection that takes commands now. */
  send(command: CommandInput): boolean {
    // What goes into a socket that died while the device slept would look sent for a minute.
    this.#link?.check()
    if (this.#state.phase !== 'ready' || this.#state.draining) return false
    this.#link?.send(command)
    return true
  }

  async #open(why: Why | undefined): Promise<void> {
    const { environment, url, app, sessionId } = this.#options
    this.#leave()
    const era = this.#era
    this.#become({ phase: 'connecting', attempt: this.#attempt, ...(why === undefined ? {} : { why }) })
    // Whoever gives tickets may be away as any server may.
    const onFailed = (): void => this.#onDown({ final: false, why: NO_CREDENTIAL, floorMs: 0 })
    this.#timer = environment.setTimeout(onFailed, CREDENTIAL_TIMEOUT_MS)
    const credential = await this.#credentials.get().catch(faultOf)
    if (era !== this.#era) return
    environment.clearTimeout(this.#timer)
    if (credential === FAILED) return onFailed()
    if (credential === SIGNED_OUT)
      return this.#become({ phase: 'refused', code: SIGNED_OUT, message: 'You are not signed in' })
    if (credential !== undefined && !fitsSubprotocol(credential)) {
      this.#become({ phase: 'refused', code: 'unauthorized', message: ERRORS.unauthorized.message })
      return
    }
    const cursor = this.#events.cursor()
    const query = new URLSearchParams({ app, ...(cursor === undefined ? {} : { cursor: formatCursor(cursor) }) })
    this.#link = new Link(environment, `${url}?${query}`, offerProtocols(sessionId, credential), {
      onFrame: (frame) => this.#onFrame(frame),
      onDown: (down) => this.#onDown(down),
    })
  }

  #onFrame(frame: ControlFrame | Envelope): void {
    if ('type' in frame && frame.type === 'session.ready') {
      this.#readyAt = this.#options.environment.now()
      this.#credentials.accepted(frame.reconnectToken)
      this.#state = { phase: 'ready', draining: false }
    }
    if ('type' in frame && frame.type === 'server.draining') this.#state = { phase: 'ready', draining: true }
    // The frame first: whoever hears that the connection is ready finds the session as it is.
    this.#events.onFrame(frame)
    if ('type' in frame && (frame.type === 'session.ready' || frame.type === 'server.draining'))
      this.#events.onState(this.#state)
  }

  #onDown({ final, why, floorMs }: Down): void {
    const { environment } = this.#options
    const wasReady = this.#state.phase === 'ready'
    const otherCredential = this.#credentials.refused(why.code)
    // One that was let in and put out again waits its turn: the next may fare no better.
    if (otherCredential && !wasReady) {
      void this.#open(why)
      return
    }
    if (final && !otherCredential) {
      this.#leave()
      this.#become({ phase: 'refused', ...why })
      return
    }
    const stable = wasReady && environment.now() - this.#readyAt >= STABLE_MS
    this.#attempt = stable ? 1 : this.#attempt + 1
    const inMs = reconnectDelay(this.#attempt, environment.random(), floorMs)
    this.#leave()
    this.#timer = environment.setTimeout(() => void this.#open(why), inMs)
    this.#become({ phase: 'reconnecting', attempt: this.#attempt, inMs, retryAt: environment.now() + inMs, why })
  }

  #watch(): () => void {
    const { environment } = this.#options
    const stops = [
      environment.onNetworkChange(() => this.#onNetworkChange()),
      environment.onReturn(() => this.#link?.check()),
    ]
    return () => {
      for (const stop of stops) stop()
    }
  }

  /**
   * Back on a network, there is no reason to wait. Without one the socket would seem alive until a heartbeat is missed; a
   * local server may still answer: the attempts go on.
   */
  #onNetworkChange(): void {
    const online = this.#options.environment.online()
    if (online && this.#state.phase === 'reconnecting') this.connect()
    if (!online && this.#state.phase === 'ready') this.#onDown({ final: false, why: OFFLINE, floorMs: 0 })
  }

  #leave(): void {
    this.#era++
    this.#options.environment.clearTimeout(this.#timer)
    this.#link?.close()
    this.#link = undefined
  }

  #become(state: ConnectionState): void {
    this.#state = state
    this.#events.onState(state)
  }
}

function faultOf(cause: unknown): typeof SIGNED_OUT | typeof FAILED {
  return cause instanceof SignedOutError ? SIGNED_OUT : FAILED
}
