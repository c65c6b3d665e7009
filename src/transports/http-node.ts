import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { HeaderPair } from '../ports/plain-headers.ts'
import type { Peer } from '../ports/transport.ts'
import { RequestBody } from './http-body.ts'
import { hasBody, headerOf, type RequestHead } from './http-request.ts'
import type { ResponseHead, ResponseSink } from './http-response.ts'
import type { Exchange } from './http-serve.ts'

export function headFromNode(req: IncomingMessage, peer: Peer): RequestHead {
  return { method: req.method ?? 'GET', target: req.url ?? '/', headers: pairsOf(req.rawHeaders), peer }
}

/** Of names and values in turns; the parsed `headers` would have lost duplicates. */
export function pairsOf(raw: readonly string[]): HeaderPair[] {
  const pairs: HeaderPair[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([(raw[at] ?? '').toLowerCase(), raw[at + 1] ?? ''])
  return pairs
}

/** Resolves when the peer has taken enough, or has left. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    stream.on('drain', done).on('close', done)
  })
}

export type NodeBounds = {
  readonly maxBodyBytes: number
  /** Milliseconds in which the kernel takes nothing of what waits for the peer, after which the connection is cut. */
  readonly stallMs: number
}

/** @param last asked when the response starts: is this the connection's last one? */
export function exchangeFromNode(
  head: RequestHead,
  req: IncomingMessage,
  res: ServerResponse,
  { maxBodyBytes, stallMs }: NodeBounds,
  last: () => boolean,
): Exchange {
  const body = hasBody(head) ? bodyFromNode(head, req, maxBodyBytes) : undefined
  // Node passes on the socket's, which counts from the last byte either way. A handler that takes its time, and a stream that has
  // nothing to say, hold nothing back.
  res.setTimeout(stallMs).on('timeout', (socket: Socket) => {
    if (socket.writableLength > 0) socket.destroy()
  })
  return { head, body, sink: new NodeSink(res, body, last) }
}

/** Answers on a socket that node has given up because the request asked for an upgrade; the connection ends with it. */
export function sinkOnSocket(req: IncomingMessage, socket: Socket, stallMs: number): ResponseSink {
  const res = new ServerResponse(req)
  res.shouldKeepAlive = false
  res.assignSocket(socket)
  res.once('finish', () => socket.end())
  // Here nobody passes it on. A peer that has its answer and does not leave goes, too.
  socket.setTimeout(stallMs, () => {
    if (socket.writableLength > 0 || res.writableFinished) socket.destroy()
  })
  // Nobody else listens on a socket that has no owner; a reset would end the process.
  socket.on('error', () => undefined)
  return new NodeSink(res, undefined, () => true)
}

function bodyFromNode(head: RequestHead, req: IncomingMessage, limit: number): RequestBody {
  const body = new RequestBody(limit, Number(headerOf(head, 'content-length') ?? 0), {
    pause: () => req.pause(),
    resume: () => req.resume(),
    cut: () => req.destroy(),
  })
  req.on('data', (chunk: Uint8Array) => body.push(chunk))
  req.on('end', () => body.end())
  req.on('error', (error) => body.fail(error))
  return body
}

class NodeSink implements ResponseSink {
  readonly #res: ServerResponse
  readonly #body: RequestBody | undefined
  readonly #last: () => boolean
  #gone = false

  constructor(res: ServerResponse, body: RequestBody | undefined, last: () => boolean) {
    this.#res = res
    this.#body = body
    this.#last = last
    this.onGone(() => {
      this.#gone = true
    })
    // The reason is in 'close'; without a listener it would end the process.
    res.on('error', () => undefined)
  }

  get gone(): boolean {
    return this.#gone
  }

  whole(head: ResponseHead, body: string | Uint8Array): void {
    if (this.#gone) return
    this.start(head, Buffer.byteLength(body))
    this.#body?.discard()
    this.#res.end(body)
  }

  bare(head: ResponseHead, length: number | undefined): void {
    this.start(head, length)
    this.finish()
  }

  start(head: ResponseHead, length: number | undefined): void {
    if (this.#gone) return
    const { status, statusText } = head
    const headers = head.headers.flat()
    if (length !== undefined) headers.push('content-length', String(length))
    if (this.#last() || this.#body?.endless) headers.push('connection', 'close')
    this.#res.writeHead(status, statusText || STATUS_CODES[status], headers)
  }

  flush(): void {
    if (!this.#gone) this.#res.flushHeaders()
  }

  write(chunk: Uint8Array): boolean {
    return this.#gone || this.#res.write(chunk)
  }

  writable(): Promise<void> {
    return this.#gone || !this.#res.writableNeedDrain ? Promise.resolve() : drained(this.#res)
  }

  finish(): void {
    if (this.#gone) return
    this.#body?.discard()
    this.#res.end()
  }

  cut(): void {
    this.#res.destroy()
  }

  onGone(callback: () => void): void {
    if (this.#gone) return callback()
    this.#res.once('close', () => {
      if (!this.#res.writableFinished) callback()
    })
  }
}
