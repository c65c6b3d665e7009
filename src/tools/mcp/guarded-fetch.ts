import { setTimeout as sleep } from 'node:timers/promises'
import type { McpServer } from '../../ports/apps.ts'
import { ToolError } from '../../ports/tool.ts'
import { assertPlain, locationOf, type Opened, type Outgoing, openExchange } from '../http/exchange.ts'
import type { Guard } from '../http/guard.ts'
import { followed } from '../http/redirects.ts'
import { followRequest, headersOf, type Secrets } from '../http/request.ts'
import { BodyReader } from './body-reader.ts'
import { currentScope, type Scope } from './scope.ts'

/** Bytes of one stream of notifications, which has no end. Then it is opened anew. */
const MAX_STREAM_BYTES = 262_144
/** Milliseconds between two of them, for a server that cuts it. */
const STREAM_PAUSE_MS = 10_000
/** Milliseconds that one lasts at least: a server that floods it is not listened to again. */
const FLOOD_MS = 60_000
/** Milliseconds between two looks for the answer of a call that was cut. */
const RESUME_PAUSE_MS = 500
/** Milliseconds for what belongs to no call: a cancellation, a farewell. */
const ASIDE_MS = 5000
/** Bytes of such an answer, which nobody reads. */
const MAX_ASIDE_BYTES = 16_384
/** Requests of one connection at once. A server may ask for answers of ours as often as it likes. */
const MAX_AT_ONCE = 64
/** Milliseconds from the end of an answer's bytes until the SDK has surely read what they say. */
const LAST_WORD_MS = 1000
/** Answers that have no body, as `Response` insists. */
const WITHOUT_BODY = new Set([204, 205, 304])
/** A connection is for all who use the App: the definition names no person's secrets. */
const NOBODY: Secrets = new Map()
/** What `Response` takes. */
const [MIN_STATUS, MAX_STATUS] = [200, 599]

type HttpPlace = Extract<McpServer['at'], { readonly kind: 'http' }>
type Init = Pick<RequestInit, 'method' | 'headers' | 'body' | 'signal'>
/** `fetch` as far as the SDK uses it. */
export type Fetch = (url: string | URL, init?: Init) => Promise<Response>

/** What an answer may cost, and whose it is. */
type Use = {
  readonly signal: AbortSignal
  readonly maxBytes: number
  readonly scope?: Scope
  /** Told what broke it off. */
  readonly onFault?: (fault: Error) => void
}

/** The way of one connection into the network: the same guard as http tools, for each request and each redirect. */
export class GuardedFetch {
  readonly #guard: Guard
  readonly #secrets: Secrets
  readonly #at: HttpPlace
  #open = 0
  #streamAt = Number.NEGATIVE_INFINITY
  #isFlooded = false
  #resumeAt = Number.NEGATIVE_INFINITY

  constructor(guard: Guard, secrets: Secrets, at: HttpPlace) {
    this.#guard = guard
    this.#secrets = secrets
    this.#at = at
  }

  readonly fetch: Fetch = async (url, init = {}) => {
    if (this.#open >= MAX_AT_ONCE) throw new ToolError('Too many requests to the server are under way.')
    this.#open++
    try {
      return await this.#send(new URL(url), init)
    } catch (thrown) {
      this.#open--
      throw thrown
    }
  }

  async #send(url: URL, init: Init): Promise<Response> {
    const own = Object.fromEntries(new Headers(init.headers))
    const method = init.method ?? 'GET'
    // As a server says that has no such stream.
    if (method === 'GET' && this.#isFlooded && !('last-event-id' in own)) return this.#refuse()
    const use = await this.#useOf(method, init.signal ?? undefined)
    const standard = { ...own, 'user-agent': 'parley', 'accept-encoding': 'identity' }
    const headers = { ...headersOf(this.#at.headers, { operator: this.#secrets, own: NOBODY }), ...standard }
    const body = typeof init.body === 'string' ? { body: init.body } : {}
    const answer = await followed(
      { url, method, headers, ...body },
      {
        guard: this.#guard,
        signal: use.signal,
        send: async (request, addresses) => answerOf(await openExchange(request, addresses, use.signal)),
        next: (request, status, location) => nextRequest(request, status, location, standard),
      },
    )
    return this.#toResponse(answer, use)
  }

  #refuse(): Response {
    this.#open--
    return new Response(null, { status: 405 })
  }

  /** The stream of notifications lives as long as the connection; an answer as long as its call. */
  async #useOf(method: string, transport: AbortSignal = NEVER): Promise<Use> {
    const scope = currentScope()
    if (method === 'GET') await this.#pause(scope, transport)
    if (scope !== undefined && (method !== 'GET' || scope.resumable))
      return { signal: AbortSignal.any([transport, scope.signal]), maxBytes: scope.maxBytes, scope }
    if (method === 'GET') return { signal: transport, maxBytes: MAX_STREAM_BYTES, onFault: this.#onStreamFault }
    return { signal: AbortSignal.any([transport, AbortSignal.timeout(ASIDE_MS)]), maxBytes: MAX_ASIDE_BYTES }
  }

  readonly #onStreamFault = (fault: Error): void => {
    if (fault instanceof ToolError && fault.cause === undefined)
      this.#isFlooded = performance.now() - this.#streamAt < FLOOD_MS
  }

  async #pause(scope: Scope | undefined, signal: AbortSignal): Promise<void> {
    const now = performance.now()
    if (scope?.resumable === true) {
      this.#resumeAt = Math.max(now, this.#resumeAt + RESUME_PAUSE_MS)
      await sleep(this.#resumeAt - now, undefined, { signal: AbortSignal.any([signal, scope.signal]) })
    } else {
      this.#streamAt = Math.max(now, this.#streamAt + STREAM_PAUSE_MS)
      await sleep(this.#streamAt - now, undefined, { signal })
    }
  }

  #toResponse({ opened, status, headers }: Answered, use: Use): Response {
    const { maxBytes, scope, onFault = () => undefined } = use
    const end = (): void => {
      if (!over) this.#open--
      over = true
      scope?.closers.delete(end)
      void opened.close()
    }
    let over = false
    scope?.closers.add(end)
    if (WITHOUT_BODY.has(status)) end()
    const isStream = headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') === true
    const onEnd = (fault?: Error): void => {
      end()
      if (fault !== undefined) onFault(fault)
      if (scope !== undefined) tellEnd(scope, isStream, fault)
    }
    const reader = new BodyReader(opened, maxBytes, isStream)
    return new Response(WITHOUT_BODY.has(status) ? null : reader.toStream(onEnd), { status, headers })
  }
}

const NEVER = new AbortController().signal

type Answered = {
  readonly status: number
  readonly location?: string
  readonly headers: Headers
  readonly opened: Opened
}

/** With where it leads, when it is a redirect: then it is not read. What cannot be used is closed. */
function answerOf(opened: Opened): Answered {
  const { statusCode: status } = opened
  const location = locationOf(opened)
  try {
    if (status < MIN_STATUS || status > MAX_STATUS) throw new ToolError(`The server answered ${status}.`)
    if (location === undefined) assertPlain(opened)
    else void opened.close()
    const headers = new Headers()
    for (const [name, value = ''] of Object.entries(opened.headers))
      for (const one of [value].flat()) headers.append(name, one)
    return { status, headers, opened, ...(location === undefined ? {} : { location }) }
  } catch (thrown) {
    void opened.close()
    throw thrown
  }
}

/** To another host go neither the App's headers nor the name of the session. */
function nextRequest(
  request: Outgoing,
  status: number,
  location: string,
  { 'mcp-session-id': _session, 'last-event-id': _last, ...standard }: Readonly<Record<string, string>>,
): Outgoing {
  const next = followRequest(request, status, location, standard)
  if (next.method !== request.method) throw new ToolError('The service redirected in a way that loses the message.')
  return next
}

/** What ends an answer is told to its call, which the SDK would let wait for ever. */
function tellEnd(scope: Scope, isStream: boolean, fault: Error | undefined): void {
  const isCut = fault instanceof ToolError && fault.cause !== undefined
  if (fault !== undefined && !(isCut && scope.resumable)) scope.fail(fault)
  else if (isStream) {
    const late = (): void => {
      if (!scope.resumable) scope.fail(new ToolError('The server ended its answer without a result.'))
    }
    setTimeout(late, LAST_WORD_MS).unref()
  }
}
