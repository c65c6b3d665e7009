import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js'
import type { Telemetry } from '../ports/telemetry.ts'
import type { TlsFiles, Transport, TransportHandlers, TransportOptions } from '../ports/transport.ts'
import type { ParleyError } from '../protocol/errors.ts'
import { readCertificate } from './certificate.ts'
import { FRAME_TOO_LARGE, TOO_LARGE_REASON } from './close-codes.ts'
import { type Accepted, decide } from './handshake.ts'
import { framingFault, headerOf, isWebSocketUpgrade, missedUpgrade, type RequestHead } from './http-request.ts'
import { errorResponse, sendResponse } from './http-response.ts'
import { exchangeFromUws, headFromUws, UwsSink } from './http-uws.ts'
import { loadedHeaderBytes, type UwsLibrary } from './load-uws.ts'
import { UnderWay } from './under-way.ts'
import { Closings, type UserData, UwsSocket } from './uws-socket.ts'

/** `ListenOptions` of the library, whose types name what only its binary holds: without it any process may share the port. */
const EXCLUSIVE_PORT = 1
/**
 * The library cuts a frame above its limit without a word (1006). Up to this many times our own limit it is let in, so that
 * the peer can be told why (4413).
 */
const READABLE_SLACK = 2
/**
 * Seconds of silence after which the library cuts a socket, near its largest (960): the core looks for signs of life itself, and asks at
 * least every ten minutes. Not 0: what the library gives a socket that it has ended hangs on it, 16 s for this and for 0 only
 * the rest of 4 s. Whoever speaks after that gets a reset, which takes the close frame and what the kernel still held for it.
 */
const IDLE_TIMEOUT_S = 900
/** Milliseconds that the library gives a connection to send the headers of its (next) request; compiled into it. */
const LIBRARY_HANDSHAKE_MS = 10_000

/** Sockets and HTTP by uWebSockets.js. */
export function createUwsTransport(
  library: UwsLibrary,
  handlers: TransportHandlers,
  options: TransportOptions,
  telemetry: Telemetry,
): Transport {
  if (loadedHeaderBytes() !== options.maxHeaderBytes) {
    telemetry.log('warn', 'header limit differs', { loaded: loadedHeaderBytes(), wanted: options.maxHeaderBytes })
  }
  if (options.handshakeTimeoutMs !== LIBRARY_HANDSHAKE_MS) {
    telemetry.log('warn', 'handshake limit differs', {
      loaded: LIBRARY_HANDSHAKE_MS,
      wanted: options.handshakeTimeoutMs,
    })
  }
  return new UwsTransport(library, handlers, options, telemetry)
}

/** Who waits for the verdict on its handshake. */
type Waiting = { gone: boolean }

/** A handshake that was accepted and waits for its turn. */
type Entrant = {
  readonly res: HttpResponse
  readonly waiting: Waiting
  readonly head: RequestHead
  readonly context: us_socket_context_t
  readonly verdict: Accepted
}

class UwsTransport implements Transport {
  readonly name = 'uws'
  readonly #library: UwsLibrary
  readonly #handlers: TransportHandlers
  readonly #options: TransportOptions
  readonly #telemetry: Telemetry
  readonly #app: TemplatedApp
  readonly #secure: boolean
  readonly #closings = new Closings()
  readonly #underWay = new UnderWay()
  /** Those that were accepted in this turn of the loop. */
  #entrants: Entrant[] = []
  /** The socket that an upgrade has just opened. */
  readonly #entered: WebSocket<UserData>[] = []
  #listening: us_listen_socket | undefined
  #draining = false
  readonly #isDraining = (): boolean => this.#draining

  constructor(library: UwsLibrary, handlers: TransportHandlers, options: TransportOptions, telemetry: Telemetry) {
    this.#library = library
    this.#handlers = handlers
    this.#options = options
    this.#telemetry = telemetry
    this.#secure = options.tls !== undefined
    this.#app = makeApp(library, options.tls)
    this.#routeSockets()
    this.#app.any('/*', (res, req) => this.#request(res, req))
  }

  // Listening

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#app.listen(host, port, EXCLUSIVE_PORT, (socket) => {
        if (socket === false)
          return reject(new Error(`cannot listen on ${host}:${port}: in use, or not an address of this machine`))
        this.#listening = socket
        resolve(this.#library.us_socket_local_port(socket))
      })
    })
  }

  stopListening(): void {
    this.#draining = true
    if (this.#listening !== undefined) this.#library.us_listen_socket_close(this.#listening)
    // HTTP connections that are idle are ended by the library after 10 s of it, the others say that they are the last.
    this.#listening = undefined
  }

  async close(): Promise<void> {
    this.stopListening()
    await this.#underWay.end()
    this.#closings.stop()
    this.#app.close()
  }

  // Groups

  /** A member whose buffer is full misses the frame, says the library to `dropped`; one that fills is to leave before. */
  broadcast(group: string, text: string): void {
    this.#app.publish(group, text)
  }

  // Handshakes

  #routeSockets(): void {
    const entered: (ws: WebSocket<UserData>) => void = this.#entered.push.bind(this.#entered)
    const { maxReadableFrameBytes, maxBufferedBytes, webSocketPath } = this.#options
    this.#app.ws<UserData>(webSocketPath, {
      maxPayloadLength: maxReadableFrameBytes * READABLE_SLACK,
      maxBackpressure: maxBufferedBytes,
      closeOnBackpressureLimit: false,
      compression: this.#library.DISABLED,
      idleTimeout: IDLE_TIMEOUT_S,
      sendPingsAutomatically: false,
      upgrade: (res, req, context) => this.#upgrade(res, req, context),
      open: entered,
      message: (ws, message, isBinary) => {
        const { peer } = ws.getUserData()
        if (message.byteLength > maxReadableFrameBytes) peer.close(FRAME_TOO_LARGE, TOO_LARGE_REASON)
        else peer.received(message, isBinary)
      },
      ping: (ws) => ws.getUserData().peer.alive(),
      pong: (ws) => ws.getUserData().peer.alive(),
      drain: (ws) => ws.getUserData().peer.drained(),
      dropped: (ws) => ws.getUserData().peer.dropped(),
      close: (ws, code) => ws.getUserData().peer.gone(code),
    })
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const head = headFromUws(res, req, this.#secure)
    if (framingFault(head) !== undefined || !isWebSocketUpgrade(head)) {
      req.setYield(true)
      return
    }
    void this.#judge(head, res, context)
  }

  async #judge(head: RequestHead, res: HttpResponse, context: us_socket_context_t): Promise<void> {
    const waiting: Waiting = { gone: false }
    res.onAborted(() => {
      waiting.gone = true
    })
    const decision = await decide(this.#handlers, head, this.#isDraining, this.#telemetry)
    if (waiting.gone) return
    if ('accept' in decision) this.#enter({ res, waiting, head, context, verdict: decision })
    // The last on its connection, as with `ws`.
    else await sendResponse(decision, new UwsSink(res, () => true), head.method)
  }

  /**
   * Upgrades in a turn after this one. A verdict may come while the library parses the request of another connection (promises are
   * settled at the end of its callbacks); an upgrade then would be taken for that connection's.
   */
  #enter(entrant: Entrant): void {
    if (this.#entrants.length === 0) setImmediate(() => this.#letAllIn())
    this.#entrants.push(entrant)
  }

  #letAllIn(): void {
    const entrants = this.#entrants
    this.#entrants = []
    for (const entrant of entrants) this.#letIn(entrant)
  }

  /**
   * After a corked upgrade the library still reads the old HTTP state, from the end of a block that it has made shorter; where
   * something was allocated in between, it may find "close the connection" there and shut the new socket (1006). So no code of
   * ours runs then, at whose start V8 might compile: `open` and the corked call are bound functions of the engine
   * and of the library. The core is told after the cork has ended.
   */
  #letIn({ res, waiting, head, context, verdict }: Entrant): void {
    if (waiting.gone) return
    const socket = new UwsSocket(verdict.handler, this.#closings)
    const key = headerOf(head, 'sec-websocket-key') ?? ''
    // No extension is ever agreed on.
    res.cork(res.upgrade.bind(res, { peer: socket }, key, verdict.protocol ?? '', '', context))
    const ws = this.#entered.pop()
    if (ws !== undefined) socket.opened(ws)
  }

  // HTTP

  #request(res: HttpResponse, req: HttpRequest): void {
    const head = headFromUws(res, req, this.#secure)
    const broken = framingFault(head)
    if (broken !== undefined) return this.#refuse(broken, head, new UwsSink(res, () => true))
    const exchange = exchangeFromUws(head, res, this.#options.maxBodyBytes, this.#isDraining)
    // The library takes a handshake without a key for an ordinary request.
    const fault = missedUpgrade(head, this.#options.webSocketPath)
    if (fault !== undefined) return void sendResponse(errorResponse(fault), exchange.sink, head.method)
    void this.#underWay.serve(this.#handlers, exchange, this.#telemetry)
  }

  /** In a turn of its own: what came right behind finds the answer pending, and the library cuts the connection instead of serving it. */
  #refuse(broken: ParleyError, head: RequestHead, sink: UwsSink): void {
    setImmediate(() => void sendResponse(errorResponse(broken), sink, head.method))
  }
}

function makeApp(library: UwsLibrary, tls: TlsFiles | undefined): TemplatedApp {
  if (tls === undefined) return library.App()
  // The library says of a bad file only that it is one.
  readCertificate(tls)
  return library.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile })
}
