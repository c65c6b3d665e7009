import { createServer, IncomingMessage, type ServerOptions, ServerResponse } from 'node:http'
import { Socket as TcpSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import type { Telemetry } from '../ports/telemetry.ts'
import type { Peer, Transport, TransportHandlers, TransportOptions } from '../ports/transport.ts'
import { ParleyError } from '../protocol/errors.ts'
import { addressText } from './address.ts'
import { CLOSE_TIMEOUT_MS, SLOW_CONSUMER, SLOW_REASON } from './close-codes.ts'
import { textFrame } from './frames.ts'
import { type Accepted, decide } from './handshake.ts'
import { exchangeFromNode, headFromNode, sinkOnSocket } from './http-node.ts'
import {
  framingFault,
  hasBody,
  hasTooManyHeaders,
  isWebSocketUpgrade,
  MAX_HEADERS,
  missedUpgrade,
  type RequestHead,
  splitTarget,
} from './http-request.ts'
import { errorResponse, sendResponse, tooManyHeadersResponse } from './http-response.ts'
import type { Exchange } from './http-serve.ts'
import { type AnyRequest, type AnyResponse, createHttp2Server, exchangeFromHttp2 } from './http2-node.ts'
import { Lines } from './lines.ts'
import { UnderWay } from './under-way.ts'
import { WaitingPeer } from './waiting-peer.ts'
import { LinkedWebSocket, type WsShared, WsSocket } from './ws-socket.ts'

/**
 * Connections that the kernel may take in before we do; it has a most of its own (`net.core.somaxconn`). Node's 511 are less than come
 * at once after a restart, and whoever finds no room comes a second later, or three, or seven.
 */
const BACKLOG = 4096
/** Milliseconds between looks for handshakes that take too long: a tenth of the default bound. */
const TIMEOUT_SWEEP_MS = 1000
/** Milliseconds that an idle HTTP connection is kept: as long as the other transport keeps it. */
const KEEP_ALIVE_MS = 10_000
/**
 * Milliseconds from a request's first byte to the last of its body: the largest that is allowed, over a slow phone, takes a
 * tenth; one that never ends would hold its connection for node's own five minutes. Answers may stream for longer.
 */
const REQUEST_TIMEOUT_MS = 30_000

/** Milliseconds for a peer to take something of an answer: as long as an export waits for its reader. */
const STALL_MS = 30_000

/** Sockets by `ws`, HTTP by node: with a certificate also HTTP/2, beside which sockets come over HTTP/1.1. */
export function createWsTransport(
  handlers: TransportHandlers,
  options: TransportOptions,
  telemetry: Telemetry,
  stallMs = STALL_MS,
): Transport {
  return new WsTransport(handlers, options, telemetry, stallMs)
}

class WsTransport implements Transport {
  readonly name = 'ws'
  readonly #handlers: TransportHandlers
  readonly #options: TransportOptions
  readonly #telemetry: Telemetry
  readonly #stallMs: number
  readonly #lines: Lines
  readonly #underWay = new UnderWay()
  readonly #upgrader: InstanceType<typeof WebSocketServer<typeof LinkedWebSocket>>
  readonly #shared: WsShared
  /** Sockets that node has given up and that are not WebSockets: their handshake is decided, or declined. */
  readonly #detached = new Set<TcpSocket>()
  /** What the handshake that is being completed selects; `handleUpgrade` asks for it before it returns. */
  #selected: string | undefined
  #draining = false
  readonly #isDraining = (): boolean => this.#draining

  constructor(handlers: TransportHandlers, options: TransportOptions, telemetry: Telemetry, stallMs: number) {
    this.#handlers = handlers
    this.#options = options
    this.#telemetry = telemetry
    this.#stallMs = stallMs
    this.#shared = { groups: new Map(), sockets: new Set(), maxBufferedBytes: options.maxBufferedBytes }
    this.#lines = makeLines(options)
    // The library's types do not know it yet.
    const closeTimeout = { closeTimeout: CLOSE_TIMEOUT_MS }
    this.#upgrader = new WebSocketServer({
      ...closeTimeout,
      noServer: true,
      WebSocket: LinkedWebSocket,
      maxPayload: options.maxReadableFrameBytes,
      perMessageDeflate: false,
      clientTracking: false,
      autoPong: false,
      handleProtocols: () => this.#selected ?? false,
    })
    const { server } = this.#lines
    server.on('request', (req: AnyRequest, res: AnyResponse) => void this.#request(req, res))
    server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => void this.#upgrade(req, socket, head))
  }

  // Listening

  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      const { server } = this.#lines
      server.once('error', reject)
      server.listen(port, host, BACKLOG, () => {
        server.off('error', reject)
        resolve()
      })
    })
    const bound = this.#lines.server.address()
    return typeof bound === 'object' && bound !== null ? bound.port : port
  }

  stopListening(): void {
    if (this.#draining) return
    this.#draining = true
    // Also ends the HTTP connections that are idle; those that are not say that they are the last.
    this.#lines.leave()
  }

  async close(): Promise<void> {
    this.stopListening()
    await this.#underWay.end()
    for (const socket of this.#shared.sockets) socket.cut()
    for (const socket of this.#detached) socket.destroy()
    this.#lines.cut()
  }

  // Groups

  broadcast(group: string, text: string): void {
    const members = this.#shared.groups.get(group)
    if (members === undefined) return
    const frame = textFrame(text)
    for (const member of members) if (!member.take(frame)) member.close(SLOW_CONSUMER, SLOW_REASON)
  }

  // Handshakes

  async #upgrade(req: IncomingMessage, socket: Duplex, early: Buffer): Promise<void> {
    if (!(socket instanceof TcpSocket)) return void socket.destroy()
    this.#detached.add(socket)
    const forget = () => this.#detached.delete(socket)
    socket.once('close', forget)
    const waiting = new WaitingPeer(socket, early)
    const head = headFromNode(req, this.#peerOf(socket))
    const isOurs = isWebSocketUpgrade(head) && splitTarget(head.target).path === this.#options.webSocketPath
    if (!isOurs || hasTooManyHeaders(head)) {
      waiting.release()
      return this.#declineUpgrade(head, req, socket)
    }
    const decision = await decide(this.#handlers, head, this.#isDraining, this.#telemetry)
    const rest = waiting.release()
    if (waiting.gone) return
    if (!('accept' in decision)) return sendResponse(decision, sinkOnSocket(req, socket, this.#stallMs), head.method)
    socket.off('close', forget)
    forget()
    this.#enter(req, socket, rest, decision)
  }

  #enter(req: IncomingMessage, socket: TcpSocket, rest: Buffer, verdict: Accepted): void {
    this.#selected = verdict.protocol
    this.#upgrader.handleUpgrade(req, socket, rest, (ws) => {
      const entered = new WsSocket(ws, socket, verdict.handler, this.#shared)
      verdict.handler.opened(entered)
    })
  }

  // HTTP

  async #request(req: AnyRequest, res: AnyResponse): Promise<void> {
    const exchange = this.#exchange(req, res)
    if (exchange !== undefined) await this.#serve(exchange)
  }

  async #serve(exchange: Exchange): Promise<void> {
    const { head, sink } = exchange
    if (hasTooManyHeaders(head)) return sendResponse(tooManyHeadersResponse(), sink, head.method)
    const broken = framingFault(head)
    if (broken !== undefined) {
      // Node tells of some first the request, then in the same turn that it is broken, and answers that itself.
      await nextTurn()
      return sendResponse(errorResponse(broken), sink, head.method)
    }
    const fault = missedUpgrade(head, this.#options.webSocketPath)
    if (fault !== undefined) return sendResponse(errorResponse(fault), sink, head.method)
    await this.#underWay.serve(this.#handlers, exchange, this.#telemetry)
  }

  #exchange(req: AnyRequest, res: AnyResponse): Exchange | undefined {
    const [peer, stallMs] = [this.#peerOf(req.socket), this.#stallMs]
    const { maxBodyBytes } = this.#options
    if (req instanceof IncomingMessage && res instanceof ServerResponse) {
      const head = headFromNode(req, peer)
      const last = hasTooManyHeaders(head) ? () => true : this.#isDraining
      return exchangeFromNode(head, req, res, { maxBodyBytes, stallMs }, last)
    }
    const bounds = { maxBodyBytes, bodyTimeoutMs: REQUEST_TIMEOUT_MS, stallMs }
    return exchangeFromHttp2(req, res, { ...peer, multiplexed: true }, bounds)
  }

  /** Some clients offer another protocol with an ordinary request (h2c); it is answered as if they had not. */
  async #declineUpgrade(head: RequestHead, req: IncomingMessage, socket: TcpSocket): Promise<void> {
    const sink = sinkOnSocket(req, socket, this.#stallMs)
    // Node has given the parser up, so a body cannot be read.
    if (hasBody(head)) return sendResponse(errorResponse(new ParleyError('bad_request')), sink, head.method)
    await this.#serve({ head, body: undefined, sink })
  }

  #peerOf(socket: Pick<TcpSocket, 'remoteAddress'>): Peer {
    return { address: addressText(socket.remoteAddress), secure: this.#options.tls !== undefined }
  }
}

function makeLines(options: TransportOptions): Lines {
  const { maxHeaderBytes, handshakeTimeoutMs, tls } = options
  const http: ServerOptions = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: handshakeTimeoutMs,
    // Node refuses one that is shorter than the headers'.
    requestTimeout: Math.max(REQUEST_TIMEOUT_MS, handshakeTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: TIMEOUT_SWEEP_MS,
  }
  // A peer that takes its time over TLS is given no more than over its headers.
  const server = tls === undefined ? createServer(http) : createHttp2Server({ ...options, tls }, http)
  // Not an option of either. Node drops what is beyond it and says nothing: one more than is allowed shows that there were too many.
  return new Lines(Object.assign(server, { maxHeadersCount: MAX_HEADERS + 1 }))
}
