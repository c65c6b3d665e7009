import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http'
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  Http2ServerRequest,
  Http2ServerResponse,
} from 'node:http2'
import type { Peer, TransportOptions } from '../ports/transport.ts'
import { readCertificate } from './certificate.ts'
import { RequestBody } from './http-body.ts'
import { drained, pairsOf } from './http-node.ts'
import { headerOf, type RequestHead } from './http-request.ts'
import type { ResponseHead, ResponseSink } from './http-response.ts'
import type { Exchange } from './http-serve.ts'
import { Http2Line } from './http2-line.ts'

/** Requests of one connection at a time: a widget's streams, one per conversation, and the polls beside them. */
const MAX_STREAMS = 100
/** Bytes that are given to node at a time. Of a longer write it says that it has left, and not how far a slow reader is with it. */
const PART_BYTES = 16 * 1024

export type AnyRequest = IncomingMessage | Http2ServerRequest
export type AnyResponse = ServerResponse | Http2ServerResponse

/**
 * TLS whose peers choose: HTTP/2, where streams share one connection and a browser's bound of six does not count, or HTTP/1.1, which
 * WebSockets are upgraded from.
 */
export function createHttp2Server(
  {
    tls,
    maxHeaderBytes,
    handshakeTimeoutMs,
  }: TransportOptions & { readonly tls: NonNullable<TransportOptions['tls']> },
  http1: ServerOptions,
): Http2SecureServer {
  const server = createSecureServer({
    ...readCertificate(tls),
    allowHTTP1: true,
    handshakeTimeout: handshakeTimeoutMs,
    settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes, enablePush: false },
  })
  // What `http.createServer` takes as options is read from the server for its HTTP/1.1 connections.
  Object.assign(server, http1)
  server.on('session', (session) => new Http2Line(session))
  server.on('sessionError', () => undefined)
  return server
}

function headFromHttp2(req: Http2ServerRequest, peer: Peer): RequestHead {
  const headers = pairsOf(req.rawHeaders).filter(([name]) => !name.startsWith(':'))
  const { authority } = req
  if (authority !== '' && !headers.some(([name]) => name === 'host')) headers.push(['host', authority])
  return { method: req.method, target: req.url, headers, peer }
}

export type Http2Bounds = {
  readonly maxBodyBytes: number
  /** Milliseconds from the headers to the body's last byte. */
  readonly bodyTimeoutMs: number
  /** Milliseconds in which the peer takes nothing of what waits for it in a stream, after which that is cut. */
  readonly stallMs: number
}

/** Undefined: the peer is gone, or has to take some of its answers before it gets more; nothing was done, so it may ask again. */
export function exchangeFromHttp2(
  req: AnyRequest,
  res: AnyResponse,
  peer: Peer,
  { maxBodyBytes, bodyTimeoutMs, stallMs }: Http2Bounds,
): Exchange | undefined {
  if (!(req instanceof Http2ServerRequest) || !(res instanceof Http2ServerResponse))
    throw new TypeError('not of HTTP/2')
  const line = Http2Line.of(req.stream.session)
  if (line === undefined || line.full) {
    req.stream.close(constants.NGHTTP2_REFUSED_STREAM)
    return undefined
  }
  const head = headFromHttp2(req, peer)
  const body = req.stream.endAfterHeaders ? undefined : bodyFrom(head, req, maxBodyBytes, bodyTimeoutMs)
  return { head, body, sink: new Http2Sink(res, body, line, stallMs) }
}

function bodyFrom(head: RequestHead, req: Http2ServerRequest, limit: number, timeoutMs: number): RequestBody {
  const cut = (): void => req.stream.close(constants.NGHTTP2_CANCEL)
  const body = new RequestBody(limit, Number(headerOf(head, 'content-length') ?? 0), {
    pause: () => void req.pause(),
    resume: () => void req.resume(),
    cut,
  })
  const timer = setTimeout(cut, timeoutMs)
  req.on('data', (chunk: Uint8Array) => body.push(chunk))
  req.on('end', () => {
    clearTimeout(timer)
    body.end()
  })
  req.on('close', () => clearTimeout(timer))
  req.on('aborted', () => body.fail(new Error('the client left')))
  req.on('error', (error) => body.fail(error))
  return body
}

class Http2Sink implements ResponseSink {
  readonly #res: Http2ServerResponse
  readonly #body: RequestBody | undefined
  readonly #line: Http2Line
  readonly #stall: NodeJS.Timeout
  /** While a part of the answer that is longer than node is given at a time is on its way to it. */
  #feeding: Promise<void> | undefined
  #gone = false
  #finished = false

  constructor(res: Http2ServerResponse, body: RequestBody | undefined, line: Http2Line, stallMs: number) {
    this.#res = res
    this.#body = body
    this.#line = line
    this.#stall = setTimeout(() => this.#cutStalled(), stallMs)
    res.once('close', () => clearTimeout(this.#stall))
    this.onGone(() => {
      this.#gone = true
    })
    // The reason is in 'close'; without a listener it would end the process.
    res.stream.on('error', () => undefined)
    res.on('error', () => undefined)
  }

  get gone(): boolean {
    return this.#gone
  }

  whole(head: ResponseHead, body: string | Uint8Array): void {
    if (this.#gone) return
    this.start(head, Buffer.byteLength(body))
    this.#body?.discard()
    void this.#feed(typeof body === 'string' ? Buffer.from(body) : body).then(() => this.finish())
  }

  bare(head: ResponseHead, length: number | undefined): void {
    this.start(head, length)
    this.finish()
  }

  start({ status, headers }: ResponseHead, length: number | undefined): void {
    if (this.#gone) return
    for (const [name, value] of headers) this.#res.appendHeader(name, value)
    if (length !== undefined) this.#res.setHeader('content-length', String(length))
    this.#res.writeHead(status)
  }

  /** `start` has sent it. */
  flush(): void {
    return undefined
  }

  write(chunk: Uint8Array): boolean {
    if (this.#gone) return true
    if (chunk.length <= PART_BYTES) return this.#put(chunk)
    this.#feeding = this.#feed(chunk).finally(() => {
      this.#feeding = undefined
    })
    return false
  }

  writable(): Promise<void> {
    return this.#feeding ?? this.#drained()
  }

  finish(): void {
    if (this.#gone) return
    this.#res.once('finish', () => {
      this.#finished = true
    })
    this.#res.end()
    this.#body?.discard()
  }

  cut(): void {
    this.#res.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }

  onGone(callback: () => void): void {
    if (this.#gone) return callback()
    this.#res.once('close', () => {
      if (!this.#finished) callback()
    })
  }

  async #feed(bytes: Uint8Array): Promise<void> {
    this.#line.waiting += bytes.length
    for (let at = 0; at < bytes.length && !this.#gone; at += PART_BYTES)
      if (!this.#put(bytes.subarray(at, at + PART_BYTES))) await this.#drained()
    this.#line.waiting -= bytes.length
  }

  #put(part: Uint8Array): boolean {
    if (this.#res.stream.bufferSize === 0) this.#stall.refresh()
    return this.#res.write(part, () => this.#gone || this.#stall.refresh())
  }

  #drained(): Promise<void> {
    // The response itself does not know: node's compatibility layer has no such field.
    const { stream } = this.#res
    return this.#gone || !stream.writableNeedDrain ? Promise.resolve() : drained(stream)
  }

  /** Not with the connection: others of its streams may be read. A reset alone would wait for what lies before it. */
  #cutStalled(): void {
    const { stream } = this.#res
    if (stream.bufferSize === 0) return
    stream.close(constants.NGHTTP2_CANCEL)
    stream.destroy()
  }
}
