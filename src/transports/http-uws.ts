import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import { STATUS_CODES } from 'node:http'
import type { HeaderPair } from '../ports/plain-headers.ts'
import { addressFromBytes } from './address.ts'
import { RequestBody } from './http-body.ts'
import { hasBody, headerOf, type RequestHead } from './http-request.ts'
import type { ResponseHead, ResponseSink } from './http-response.ts'
import type { Exchange } from './http-serve.ts'

/** Copies what is valid only until the callback returns. */
export function headFromUws(res: HttpResponse, req: HttpRequest, secure: boolean): RequestHead {
  const headers: HeaderPair[] = []
  req.forEach((name, value) => {
    headers.push([name, value])
  })
  // Declared a string, but undefined without a question mark. `getMethod` would turn the method to lower case for good.
  const query: string | undefined = req.getQuery()
  const target = query === undefined ? req.getUrl() : `${req.getUrl()}?${query}`
  const peer = { address: addressFromBytes(res.getRemoteAddress()), secure }
  return { method: req.getCaseSensitiveMethod(), target, headers, peer }
}

/** To be called before the route's callback returns: the library ends the process when no one listens for the abort. */
export function exchangeFromUws(
  head: RequestHead,
  res: HttpResponse,
  maxBodyBytes: number,
  last: () => boolean,
): Exchange {
  const sink = new UwsSink(res, last)
  if (!hasBody(head)) return { head, body: undefined, sink }
  const body = new RequestBody(maxBodyBytes, Number(headerOf(head, 'content-length') ?? 0), sink)
  sink.carry(body)
  return { head, body, sink }
}

type Unsent = { readonly chunk: Uint8Array; readonly offset: number }

/** Everything on `res` is a crash after the peer has left or the response is whole, hence `#gone` before each use. */
export class UwsSink implements ResponseSink {
  readonly #res: HttpResponse
  readonly #last: () => boolean
  readonly #onGone: (() => void)[] = []
  #body: RequestBody | undefined
  #gone = false
  /** Bytes of a response of known length. */
  #length: number | undefined
  #unsent: Unsent | undefined
  #resume: (() => void) | undefined
  #full = false

  constructor(res: HttpResponse, last: () => boolean) {
    this.#res = res
    this.#last = last
    res.onAborted(() => this.#leave())
  }

  get gone(): boolean {
    return this.#gone
  }

  /** Feeds the request's body. */
  carry(body: RequestBody): void {
    this.#body = body
    this.#onGone.push(() => body.fail(new Error('the client left before its request was whole')))
    this.#res.onData((chunk, isLast) => {
      // The buffer is the library's own and is used again: copy.
      if (chunk.byteLength > 0) body.push(new Uint8Array(chunk.slice(0)))
      if (isLast) body.end()
    })
  }

  pause(): void {
    if (!this.#gone) this.#res.pause()
  }

  resume(): void {
    if (!this.#gone) this.#res.resume()
  }

  whole(head: ResponseHead, body: string | Uint8Array): void {
    this.#atOnce(head, (close) => this.#res.end(body, close))
  }

  bare(head: ResponseHead, length: number | undefined): void {
    if (length === 0) return this.whole(head, '')
    this.#atOnce(head, (close) => {
      // `endWithoutBody` with a length waits for that many bytes, also after HEAD.
      if (length !== undefined) this.#res.writeHeader('content-length', String(length))
      if (close) this.#res.writeHeader('connection', 'close')
      this.#res.endWithoutBody()
    })
  }

  start(head: ResponseHead, length: number | undefined): void {
    if (this.#gone) return
    this.#length = length
    this.#res.onWritable((offset) => this.#drained(offset))
    this.#res.cork(() => {
      this.#writeHead(head)
      // Closing at the end would write the header then, into the body.
      if (this.#closes()) this.#res.writeHeader('connection', 'close')
    })
  }

  /** The library ends a head with the first part of the body only, and an empty part is none to it. */
  flush(filler: string): void {
    if (this.#gone) return
    this.#res.cork(() => {
      this.#full = !this.#res.write(filler)
    })
  }

  write(chunk: Uint8Array): boolean {
    if (this.#gone) return true
    const total = this.#length
    this.#res.cork(() => {
      this.#full = total === undefined ? !this.#res.write(chunk) : !this.#writeOf(chunk, total)
    })
    return !this.#full
  }

  writable(): Promise<void> {
    if (this.#gone || !this.#full) return Promise.resolve()
    return new Promise((resolve) => {
      this.#resume = resolve
    })
  }

  finish(): void {
    if (this.#gone) return
    if (this.#length !== undefined) return this.cut()
    this.#body?.discard()
    this.#res.cork(() => this.#res.end())
    this.#gone = true
  }

  cut(): void {
    if (this.#gone) return
    this.#res.close()
    this.#leave()
  }

  onGone(callback: () => void): void {
    if (this.#gone) callback()
    else this.#onGone.push(callback)
  }

  #atOnce(head: ResponseHead, end: (close: boolean) => void): void {
    if (this.#gone) return
    // A paused request would stay paused: the response is the last chance to touch it.
    this.#body?.discard()
    const close = this.#closes()
    this.#res.cork(() => {
      this.#writeHead(head)
      end(close)
    })
    this.#gone = true
  }

  #closes(): boolean {
    return this.#last() || this.#body?.endless === true
  }

  #writeHead({ status, statusText, headers }: ResponseHead): void {
    this.#res.writeStatus(`${status} ${statusText || (STATUS_CODES[status] ?? '')}`)
    for (const [name, value] of headers) this.#res.writeHeader(name, value)
  }

  /** A part of a response of known length: what the socket does not take now is sent again from `#drained`. */
  #writeOf(chunk: Uint8Array, total: number): boolean {
    const offset = this.#res.getWriteOffset()
    const [ok, whole] = this.#res.tryEnd(chunk, total)
    if (whole) this.#gone = true
    if (!ok && !whole) this.#unsent = { chunk, offset }
    return ok || whole
  }

  #drained(offset: number): boolean {
    const unsent = this.#unsent
    this.#unsent = undefined
    if (unsent !== undefined && this.#length !== undefined) {
      const rest = unsent.chunk.subarray(offset - unsent.offset)
      if (!this.#writeOf(rest, this.#length)) return false
    }
    // The library leaves what a chunked write left behind to the next write, which may be long in coming; uncorking sends it.
    if (this.#length === undefined) this.#res.cork(() => undefined)
    this.#full = false
    this.#resume?.()
    this.#resume = undefined
    return true
  }

  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    for (const callback of this.#onGone.splice(0)) callback()
    this.#resume?.()
  }
}
