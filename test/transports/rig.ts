import { afterEach, beforeEach } from 'vitest'
import type { LogLevel, Telemetry } from '../../src/ports/telemetry.ts'
import type {
  Answer,
  HandshakeRequest,
  HandshakeVerdict,
  Peer,
  Socket,
  Transport,
  TransportHandlers,
  TransportOptions,
} from '../../src/ports/transport.ts'
import { type ConnectOptions, SocketClient } from '../support/socket-client.ts'
import { RecordingHandler } from './recording-handler.ts'

export type MakeTransport = (
  handlers: TransportHandlers,
  options: TransportOptions,
  telemetry: Telemetry,
) => Promise<Transport>

/** Small enough for a test to reach every limit. */
export const OPTIONS: TransportOptions = {
  webSocketPath: '/ws',
  maxReadableFrameBytes: 2 * 1024 * 1024,
  maxBufferedBytes: 512 * 1024,
  handshakeTimeoutMs: 10_000,
  maxHeaderBytes: 128 * 1024,
  maxBodyBytes: 256 * 1024,
}

export type Opened = { readonly client: SocketClient; readonly peer: RecordingHandler; readonly socket: Socket }

/** One transport under test and the core's side of it, played by the test. */
export class Rig {
  readonly requests: HandshakeRequest[] = []
  readonly peers: RecordingHandler[] = []
  readonly logged: { readonly level: LogLevel; readonly event: string }[] = []
  /** What the next handshakes get; undefined: accepted. */
  verdict: ((request: HandshakeRequest) => Promise<HandshakeVerdict>) | undefined
  fetch: (request: Request, peer: Peer) => Promise<Response | Answer> = async () =>
    new Response('nothing here', { status: 404 })
  readonly #make: MakeTransport
  #transport: Transport | undefined
  #port = 0

  constructor(make: MakeTransport) {
    this.#make = make
  }

  get transport(): Transport {
    if (this.#transport === undefined) throw new Error('not started')
    return this.#transport
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/ws`
  }

  get http(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async start(): Promise<void> {
    const handlers: TransportHandlers = {
      upgrade: (request) => {
        this.requests.push(request)
        return this.verdict?.(request) ?? Promise.resolve(this.accept())
      },
      fetch: (request, peer) => this.fetch(request, peer),
    }
    this.#transport = await this.make(handlers)
    this.#port = await this.#transport.listen('127.0.0.1', 0)
  }

  /** Another transport of the same kind. */
  make(handlers: TransportHandlers): Promise<Transport> {
    const telemetry: Telemetry = {
      log: (level, event) => void this.logged.push({ level, event }),
      count: () => undefined,
      observe: () => undefined,
      gauge: () => undefined,
    }
    return this.#make(handlers, OPTIONS, telemetry)
  }

  accept(protocol?: string): HandshakeVerdict {
    const handler = new RecordingHandler()
    this.peers.push(handler)
    return { accept: true, handler, ...(protocol === undefined ? {} : { protocol }) }
  }

  /** The core's side of the connection that was accepted last. */
  get lastPeer(): RecordingHandler {
    const peer = this.peers.at(-1)
    if (peer === undefined) throw new Error('no handshake was accepted')
    return peer
  }

  async open(options: ConnectOptions = {}): Promise<Opened> {
    const client = await SocketClient.connect(this.url, options)
    const peer = this.lastPeer
    return { client, peer, socket: await peer.opening }
  }

  async stop(): Promise<void> {
    await this.#transport?.close()
    await Promise.all(this.peers.filter((peer) => peer.everOpened).map((peer) => peer.closing))
    const violations = this.peers.flatMap((peer) => peer.violations)
    if (violations.length > 0) throw new Error(`calls that the port forbids: ${violations.join(', ')}`)
  }
}

/** A fresh transport for every test of the suite that calls it; its calls are checked against the port's rules at the end. */
export function useRig(make: MakeTransport): () => Rig {
  let rig = new Rig(make)
  beforeEach(async () => {
    rig = new Rig(make)
    await rig.start()
  })
  afterEach(() => rig.stop())
  return () => rig
}
