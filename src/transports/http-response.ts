import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ParleyError, toErrorBody } from '../protocol/errors.ts'
import type { HeaderPair } from './http-request.ts'

export type ResponseHead = {
  readonly status: number
  readonly statusText: string
  readonly headers: readonly HeaderPair[]
}

/** One response on its way out. After the peer has left, every method is a no-op. */
export interface ResponseSink {
  /** A whole response. `length`: what Content-Length says when it is not the body's own (HEAD); undefined: no such header. */
  whole(head: ResponseHead, body: Uint8Array, length: number | undefined): void
  /** Opens a streamed response: of `length` bytes, or chunked. */
  start(head: ResponseHead, length: number | undefined): void
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
/** These never carry a body (RFC 9110 6.4.1). */
const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, RESET_CONTENT, 304])
const EMPTY = new Uint8Array()

/** Writes `response`; rejects when its body fails, with the sink as it was then. */
export async function sendResponse(response: Response, sink: ResponseSink, method: string): Promise<void> {
  const head = headOf(response)
  const declared = declaredLength(response)
  const { body, status } = response
  if (body === null || method === 'HEAD' || BODILESS_STATUSES.has(status)) {
    sink.whole(head, EMPTY, lengthWithoutBody(method, status, declared))
    await body?.cancel()
    return
  }
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader()
  // A source that fails while it is cancelled has nobody left to tell.
  sink.onGone(() => void reader.cancel().catch(() => undefined))
  const first = await reader.read()
  const second = reader.read()
  // A body that is whole within the turn gets its length; one that makes us wait is a stream.
  const end = declared === undefined ? await Promise.race([second, nextTurn(undefined)]) : undefined
  if (first.done || end?.done) return sink.whole(head, first.value ?? EMPTY, first.value?.length ?? 0)
  sink.start(head, declared)
  await pump(first.value, second, reader, sink)
}

async function pump(
  first: Uint8Array,
  second: ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  sink: ResponseSink,
): Promise<void> {
  if (!sink.write(first)) await sink.writable()
  for (let part = await second; !part.done && !sink.gone; part = await reader.read()) {
    if (!sink.write(part.value)) await sink.writable()
  }
  if (sink.gone) await reader.cancel()
  sink.finish()
}

export function errorResponse(error: ParleyError): Response {
  return Response.json(toErrorBody(error), { status: error.status, headers: { 'cache-control': 'no-store' } })
}

function headOf(response: Response): ResponseHead {
  const headers = [...response.headers].filter(([name]) => !CONNECTION_HEADERS.has(name))
  return { status: response.status, statusText: response.statusText, headers }
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
