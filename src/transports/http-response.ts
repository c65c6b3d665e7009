import { setImmediate as nextTurn } from 'node:timers/promises'
import type { HeaderPair } from '../ports/plain-headers.ts'
import type { Answer } from '../ports/transport.ts'
import { type ParleyError, toErrorBody } from '../protocol/errors.ts'

export type ResponseHead = {
  readonly status: number
  readonly statusText: string
  readonly headers: readonly HeaderPair[]
}

/** One response on its way out. After the peer has left, every method is a no-op. */
export interface ResponseSink {
  /** A whole response, with the length of its body. */
  whole(head: ResponseHead, body: string | Uint8Array): void
  /** One without a body. `length`: what Content-Length says all the same; undefined: no such header. */
  bare(head: ResponseHead, length: number | undefined): void
  /** Opens a streamed response: of `length` bytes, or chunked. */
  start(head: ResponseHead, length: number | undefined): void
  /** Sends the head of a chunked response now. Where the library cannot without a part of the body: with `filler`, which readers of the body skip. */
  flush(filler: string): void
  /** Writes a part; false when the next has to wait for `writable`. */
  write(chunk: Uint8Array): boolean
  /** Resolves when the peer has taken enough, or has left. */
  writable(): Promise<void>
  finish(): void
  /** Ends the connection: the only way to say that a response which has begun will not be whole. */
  cut(): void
  readonly gone: boolean
  /** Calls back once when the peer leaves before the response is finished; at once when it has. */
  onGone(callback: () => void): void
}

/** These belong to the connection, which is the transport's, or are said by it (RFC 9110 7.6.1). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'content-length',
])
const RESET_CONTENT = 205
const EVENT_STREAM = 'text/event-stream'
/** The ends of no events: readers dispatch nothing (WHATWG HTML 9.2.6), also those that cut at empty lines and read each part. */
const NO_EVENTS = '\n\n'
/** These never carry a body (RFC 9110 6.4.1). */
const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, RESET_CONTENT, 304])

/** Writes `response`; rejects when its body fails, with the sink as it was then. */
export async function sendResponse(response: Response | Answer, sink: ResponseSink, method: string): Promise<void> {
  if (response instanceof Response) return sendStream(response, sink, method)
  const { status, content } = response
  const head = headOf(status, '', response.headers)
  if (content === null || method === 'HEAD' || BODILESS_STATUSES.has(status))
    sink.bare(head, lengthWithoutBody(method, status, undefined))
  else sink.whole(head, content)
}

type Reader = ReadableStreamDefaultReader<Uint8Array>
/** Does a part wait for the peer to take those before it? */
type Held = { back: boolean }

async function sendStream(response: Response, sink: ResponseSink, method: string): Promise<void> {
  const head = headOf(response.status, response.statusText, response.headers)
  const declared = declaredLength(response)
  const { body, status } = response
  if (body === null || method === 'HEAD' || BODILESS_STATUSES.has(status)) {
    sink.bare(head, lengthWithoutBody(method, status, declared))
    await body?.cancel()
    return
  }
  const reader: Reader = body.getReader()
  const held = { back: false }
  // A source that gives up a peer which takes nothing is not asked for the part that would say so.
  reader.closed.catch(() => {
    if (held.back) sink.cut()
  })
  // A source that fails while it is cancelled has nobody left to tell.
  sink.onGone(() => void reader.cancel().catch(() => undefined))
  if (declared === undefined && response.headers.get('content-type')?.startsWith(EVENT_STREAM) === true) {
    sink.start(head, declared)
    // Whoever asked knows by the head that it was heard; the first event may be long in coming.
    sink.flush(NO_EVENTS)
    return pump(reader.read(), reader, sink, held)
  }
  const first = await reader.read()
  const second = reader.read()
  // A body that is whole within the turn gets its length; one that makes us wait is a stream.
  const end = declared === undefined ? await Promise.race([second, nextTurn(undefined)]) : undefined
  if (first.done) return sink.bare(head, 0)
  if (end?.done) return sink.whole(head, first.value)
  sink.start(head, declared)
  await write(first.value, sink, held)
  await pump(second, reader, sink, held)
}

async function write(part: Uint8Array, sink: ResponseSink, held: Held): Promise<void> {
  if (sink.write(part)) return
  held.back = true
  await sink.writable()
  held.back = false
}

/** `next`: the part that was asked for already. */
async function pump(next: ReturnType<Reader['read']>, reader: Reader, sink: ResponseSink, held: Held): Promise<void> {
  for (let part = await next; !part.done && !sink.gone; part = await reader.read()) {
    await write(part.value, sink, held)
  }
  if (sink.gone) await reader.cancel()
  sink.finish()
}

/** As the libraries answer headers that are too large: before anything is made of the request, so without the protocol's envelope. */
export function tooManyHeadersResponse(): Answer {
  return { status: 431, headers: [], content: '' }
}

export function errorResponse(error: ParleyError): Answer {
  const headers = [['content-type', 'application/json'] as const, ['cache-control', 'no-store'] as const]
  return { status: error.status, headers, content: JSON.stringify(toErrorBody(error)) }
}

function headOf(status: number, statusText: string, all: Iterable<HeaderPair>): ResponseHead {
  const headers: HeaderPair[] = []
  for (const pair of all) if (!CONNECTION_HEADERS.has(pair[0])) headers.push(pair)
  return { status, statusText, headers }
}

function declaredLength(response: Response): number | undefined {
  const length = response.headers.get('content-length')
  return length === null || !/^\d+$/.test(length) ? undefined : Number(length)
}

/** A HEAD says what a GET would; 204 and 304 say nothing; an empty body is known to be empty. */
function lengthWithoutBody(method: string, status: number, declared: number | undefined): number | undefined {
  if (method === 'HEAD') return declared
  return BODILESS_STATUSES.has(status) && status !== RESET_CONTENT ? undefined : 0
}
