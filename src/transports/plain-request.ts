import { PlainBody } from '../ports/plain-body.ts'
import { type HeaderPair, PlainHeaders } from '../ports/plain-headers.ts'

type PlainRequestParts = {
  readonly method: string
  readonly url: string
  /** Well formed. */
  readonly headers: readonly HeaderPair[]
  readonly body: ReadableStream<Uint8Array> | undefined
  readonly signal: () => AbortSignal
}

/** A request as handlers mostly read it: method, URL, headers and body. The platform's, which costs more than most answers, is made when anything else is asked for. */
export class PlainRequest extends PlainBody implements Request {
  readonly method: string
  readonly url: string
  readonly headers: PlainHeaders
  readonly #parts: PlainRequestParts
  #made: Request | undefined

  constructor(parts: PlainRequestParts) {
    super()
    this.method = parts.method
    this.url = parts.url
    this.headers = new PlainHeaders(parts.headers)
    this.#parts = parts
  }

  get body(): Request['body'] {
    return this.#made === undefined ? (this.#parts.body ?? null) : this.#made.body
  }

  get bodyUsed(): boolean {
    return this.whole.bodyUsed
  }

  get signal(): AbortSignal {
    return this.#parts.signal()
  }

  get cache() {
    return this.whole.cache
  }

  get credentials() {
    return this.whole.credentials
  }

  get destination() {
    return this.whole.destination
  }

  get duplex() {
    return this.whole.duplex
  }

  get integrity() {
    return this.whole.integrity
  }

  get keepalive() {
    return this.whole.keepalive
  }

  get mode() {
    return this.whole.mode
  }

  get redirect() {
    return this.whole.redirect
  }

  get referrer() {
    return this.whole.referrer
  }

  get referrerPolicy() {
    return this.whole.referrerPolicy
  }

  clone() {
    return this.whole.clone()
  }

  protected get whole(): Request {
    const { body, signal } = this.#parts
    const carried = body === undefined ? {} : ({ body, duplex: 'half' } as const)
    this.#made ??= new Request(this.url, {
      method: this.method,
      headers: [...this.headers],
      signal: signal(),
      ...carried,
    })
    return this.#made
  }
}
