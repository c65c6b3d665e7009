import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http'
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  Http2ServerRequest,
  Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2'
import type { HeaderPair } from '../ports/plain-headers.ts'
import type { Peer, TransportOptions } from '../ports/transport.ts'
import { readCertificate } from './certificate.ts'
import { RequestBody } from './http-body.ts'
import { headerOf, type RequestHead } from './http-request.ts'
import type { ResponseHead, ResponseSink } from './http-response.ts'
import type { Exchange } from './http-serve.ts'

/** Requests of one connection at a time: a widget's streams, one per conversation, and the polls beside them. */
const MAX_STREAMS = 100
/** Milliseconds without a byte after which a connection that has no request open is closed; one that streams says something sooner. */
const IDLE_MS = 60_000

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
  server.on('session', (session) => session.setTimeout(IDLE_MS, () => closeIdle(session)))
  server.on('sessionError', () => undefined)
  return server
}

/** Ends once what is under way has ended. */
function closeIdle(session: ServerHttp2Session): void {
  if (!session.closed) session.close()
}

function headFromHttp2(req: Http2ServerRequest, peer: Peer): RequestHead {
  const headers: HeaderPair[] = []
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    const name = (req.rawHeaders[at] ?? '').toLowerCase()
    if (!name.startsWith(':')) headers.push([name, req.rawHeaders[at + 1] ?? ''])
  }
  const { authority } = req
  if (authority !== '' && !headers.some(([name]) => name === 'host')) headers.push(['host', authority])
  return { method: req.method, target: req.url, headers, peer }
}

/** `bodyTimeoutMs`: from the headers to the body's last byte. */
export function exchangeFromHttp2(
  req: AnyRequest,
  res: AnyResponse,
  peer: Peer,
  { maxBodyBytes, bodyTimeoutMs }: { readonly maxBodyBytes: number; readonly bodyTimeoutMs: number },
): Exchange {
  if (!(req instanceof Http2ServerRequest) || !(res instanceof Http2ServerResponse))
    throw new TypeError('not of HTTP/2')
  const head = headFromHttp2(req, peer)
  const body = req.stream.endAfterHeaders ? undefined : bodyFrom(head, req, maxBodyBytes, bodyTimeoutMs)
  return { head, body, sink: new Http2Sink(res, body) }
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
  #gone = false
  #finished = false

  constructor(res: Http2ServerResponse, body: RequestBody | undefined) {
    this.#res = res
    this.#body = body
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
    this.#end(body)
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
    return this.#gone || this.#res.write(chunk)
  }

  writable(): Promise<void> {
    // The response itself does not know: node's compatibility layer has no such field.
    const { stream } = this.#res
    if (this.#gone || !stream.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off('drain', done).off('close', done)
        resolve()
      }
      stream.on('drain', done).on('close', done)
    })
  }

  finish(): void {
    if (!this.#gone) this.#end()
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

  #end(last?: string | Uint8Array): void {
    this.#res.once('finish', () => {
      this.#finished = true
    })
    if (last === undefined) this.#res.end()
    else this.#res.end(last)
    this.#body?.discard()
  }
}
