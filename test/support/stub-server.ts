import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Step } from './messages-api-events.ts'
import { type Delivery, play } from './messages-api-player.ts'

/** An error before any stream, put into the API's own words by its stub. */
export type Failure = {
  readonly reply: 'error'
  readonly status: number
  readonly type: string
  readonly code?: string | number
  readonly param?: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a stub does with one request. */
export type StubReply =
  | ({ readonly reply: 'stream'; readonly steps: Iterable<Step> } & Delivery)
  | Failure
  /** Bytes that are not the API's: what a proxy in between would answer. */
  | {
      readonly reply: 'raw'
      readonly status: number
      readonly contentType: string
      readonly body: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** The socket is destroyed before any header. */
  | { readonly reply: 'refuse' }
  /** No header ever. */
  | { readonly reply: 'silent' }

/** A queue, taken from the front, or a function of the request. */
export type StubScript = StubReply[] | ((request: StubRequest) => StubReply)

type RequestOutcome = 'aborted' | 'completed'

/** One request as the stub saw it. `endedAt` is in ms of `performance.now()`. */
export class StubRequest {
  readonly headers: IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
  readonly ended: Promise<RequestOutcome>
  outcome: RequestOutcome | undefined
  endedAt: number | undefined

  constructor(request: IncomingMessage, response: ServerResponse, body: Readonly<Record<string, unknown>>) {
    this.headers = request.headers
    this.body = body
    this.ended = new Promise((resolve) => {
      response.once('close', () => {
        this.endedAt = performance.now()
        // A reply that cuts its own socket ends here as well: the client did not take all of it.
        this.outcome = response.writableFinished ? 'completed' : 'aborted'
        resolve(this.outcome)
      })
    })
  }
}

export type StubOptions = {
  readonly script?: StubScript
  /** The key to insist on. Without it the API's own idea of a credential holds. */
  readonly key?: string
  readonly port?: number
  /** Off: requests are not kept (a long bench). */
  readonly record?: boolean
  /** Sent with every answer. */
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds that a connection without a request is kept, told to clients. Default: Node's 5 s after an answer. */
  readonly keepAliveMs?: number
}

export function stream(steps: Iterable<Step>, delivery: Delivery = {}): StubReply {
  return { reply: 'stream', steps, ...delivery }
}

/** An HTTP server that plays a script in the place of a model's API. */
export abstract class StubServer {
  /** Every request that passed the form check, oldest first. */
  readonly requests: StubRequest[] = []
  /** Requests not yet completed nor aborted. */
  open = 0
  /** Sockets of clients, idle ones included. */
  connections = 0
  script: StubScript
  protected readonly options: StubOptions
  readonly #server: Server
  #count = 0
  readonly #arrivals: (() => void)[] = []

  protected constructor(options: StubOptions) {
    this.options = options
    this.script = options.script ?? []
    const idle = options.keepAliveMs
    const keepAlive =
      idle === undefined ? {} : { keepAliveTimeout: idle, headersTimeout: idle, connectionsCheckingInterval: idle / 4 }
    this.#server = createServer({ noDelay: true, ...keepAlive }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) =>
        response.destroy(error instanceof Error ? error : undefined),
      )
    })
    this.#server.on('connection', (socket) => {
      this.connections += 1
      socket.once('close', () => {
        this.connections -= 1
      })
    })
  }

  /** The header that carries a request's id. */
  protected abstract readonly idHeader: string
  /** The API's only path. */
  protected abstract readonly path: string
  /** The API's own body of an error. */
  protected abstract bodyOf(failure: Failure, requestId: string): unknown
  /** Why the API would not take the request; undefined for a good one. */
  protected abstract refuse(headers: IncomingHttpHeaders, body: unknown): Failure | undefined

  protected async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.options.port ?? 0, '127.0.0.1', resolve)
    })
    return this
  }

  /** `http://host:port`. */
  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the stub is not listening')
    return `http://127.0.0.1:${address.port}`
  }

  /** The request of this index, now or when it comes. */
  async received(index: number): Promise<StubRequest> {
    for (;;) {
      const request = this.requests[index]
      if (request) return request
      await new Promise<void>((resolve) => this.#arrivals.push(resolve))
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader(this.idHeader, `req_stub${++this.#count}`)
    for (const [name, value] of Object.entries(this.options.headers ?? {})) response.setHeader(name, value)
    const chunks: Buffer[] = []
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk)
    const [path] = request.url?.split('?') ?? []
    if (request.method !== 'POST' || path !== this.path)
      return this.#fail(response, { reply: 'error', status: 404, type: 'not_found_error', message: 'not found' })
    const body = parseObject(Buffer.concat(chunks).toString())
    const refusal = this.refuse(request.headers, body)
    if (refusal) return this.#fail(response, refusal)
    await this.#reply(new StubRequest(request, response, body ?? {}), response)
  }

  async #reply(request: StubRequest, response: ServerResponse): Promise<void> {
    if (this.options.record !== false) this.requests.push(request)
    for (const arrived of this.#arrivals.splice(0)) arrived()
    this.open += 1
    response.once('close', () => {
      this.open -= 1
    })
    const reply = typeof this.script === 'function' ? this.script(request) : this.script.shift()
    switch (reply?.reply) {
      case undefined:
        return this.#fail(response, EXHAUSTED)
      case 'error':
        return this.#fail(response, reply)
      case 'raw':
        response.writeHead(reply.status, { 'content-type': reply.contentType, ...reply.headers }).end(reply.body)
        return
      case 'refuse':
        response.socket?.destroy()
        return
      case 'silent':
        return
      case 'stream':
        response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
        response.flushHeaders()
        return play(reply.steps, response, reply)
    }
  }

  #fail(response: ServerResponse, failure: Failure): void {
    const body = this.bodyOf(failure, String(response.getHeader(this.idHeader)))
    const headers = { 'content-type': 'application/json', ...failure.headers }
    response.writeHead(failure.status, headers).end(JSON.stringify(body))
  }
}

const EXHAUSTED: Failure = {
  reply: 'error',
  status: 500,
  type: 'api_error',
  message: 'the script has no further reply',
}

function parseObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
