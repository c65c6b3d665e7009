import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { ErrorType, Step } from './messages-api-events.ts'
import { type Delivery, play } from './messages-api-player.ts'
import { refusalOf } from './messages-api-rules.ts'

/** What the stub does with one request. */
export type Reply =
  | ({ readonly reply: 'stream'; readonly steps: Iterable<Step> } & Delivery)
  | {
      readonly reply: 'error'
      readonly status: number
      readonly type: ErrorType
      readonly message: string
      readonly headers?: Readonly<Record<string, string>>
    }
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
export type Script = Reply[] | ((request: MessagesRequest) => Reply)

export type RequestOutcome = 'aborted' | 'completed'

/** One request as the stub saw it. `endedAt` is in ms of `performance.now()`. */
export class MessagesRequest {
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

export type MessagesApiOptions = {
  readonly script?: Script
  /** The key to insist on. Without it any non-empty credential passes. */
  readonly key?: string
  readonly port?: number
  /** Off: requests are not kept (a long bench). */
  readonly record?: boolean
  /** Sent with every answer. */
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds that a connection without a request is kept, told to clients. Default: Node's 5 s after an answer. */
  readonly keepAliveMs?: number
}

/** The documented error types by status. */
const ERROR_TYPES: Readonly<Record<number, ErrorType>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

export function stream(steps: Iterable<Step>, delivery: Delivery = {}): Reply {
  return { reply: 'stream', steps, ...delivery }
}

/** An error before the stream, with the API's body and the type that belongs to the status. */
export function httpError(status: number, message = 'stub', headers: Readonly<Record<string, string>> = {}): Reply {
  return { reply: 'error', status, type: ERROR_TYPES[status] ?? 'api_error', message, headers }
}

/** A stub of Anthropic's `POST /v1/messages` with `stream: true`. */
export class MessagesApi {
  /** Every request that passed the form check, oldest first. */
  readonly requests: MessagesRequest[] = []
  /** Requests not yet completed nor aborted. */
  open = 0
  /** Sockets of clients, idle ones included. */
  connections = 0
  script: Script
  readonly #server: Server
  readonly #options: MessagesApiOptions
  #count = 0
  readonly #arrivals: (() => void)[] = []

  private constructor(options: MessagesApiOptions) {
    this.#options = options
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

  static async listen(options: MessagesApiOptions = {}): Promise<MessagesApi> {
    const api = new MessagesApi(options)
    await new Promise<void>((resolve, reject) => {
      api.#server.once('error', reject)
      api.#server.listen(options.port ?? 0, '127.0.0.1', resolve)
    })
    return api
  }

  /** The value for the SDK's `baseURL`. */
  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the stub is not listening')
    return `http://127.0.0.1:${address.port}`
  }

  /** The request of this index, now or when it comes. */
  async received(index: number): Promise<MessagesRequest> {
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
    response.setHeader('request-id', `req_stub${++this.#count}`)
    for (const [name, value] of Object.entries(this.#options.headers ?? {})) response.setHeader(name, value)
    const chunks: Buffer[] = []
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk)
    if (request.method !== 'POST' || !request.url?.startsWith('/v1/messages')) {
      return fail(response, httpError(404, 'not found'))
    }
    if (!this.#authentic(request.headers)) return fail(response, httpError(401, 'invalid x-api-key'))
    const body = parseObject(Buffer.concat(chunks).toString())
    const refusal = body ? refusalOf(body) : 'the body is not a JSON object'
    if (!body || refusal) return fail(response, httpError(400, refusal))
    await this.#reply(new MessagesRequest(request, response, body), response)
  }

  async #reply(request: MessagesRequest, response: ServerResponse): Promise<void> {
    if (this.#options.record !== false) this.requests.push(request)
    for (const arrived of this.#arrivals.splice(0)) arrived()
    this.open += 1
    response.once('close', () => {
      this.open -= 1
    })
    const reply = typeof this.script === 'function' ? this.script(request) : this.script.shift()
    switch (reply?.reply) {
      case undefined:
        return fail(response, httpError(500, 'the script has no further reply'))
      case 'error':
        return fail(response, reply)
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

  #authentic(headers: IncomingHttpHeaders): boolean {
    const key = headers['x-api-key'] ?? headers.authorization?.replace(/^Bearer /, '')
    return this.#options.key === undefined ? Boolean(key) : key === this.#options.key
  }
}

function fail(response: ServerResponse, reply: Reply): void {
  if (reply.reply !== 'error') return
  const id = response.getHeader('request-id')
  const body = { type: 'error', error: { type: reply.type, message: reply.message }, request_id: id }
  response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers }).end(JSON.stringify(body))
}

function parseObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
