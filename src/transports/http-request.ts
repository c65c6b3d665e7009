import { METHODS } from 'node:http'
import type { HeaderPair } from '../ports/plain-headers.ts'
import type { HandshakeRequest, Peer } from '../ports/transport.ts'
import { ParleyError } from '../protocol/errors.ts'
import { Origins } from './origins.ts'
import { PlainRequest } from './plain-request.ts'

/** A request's line and headers, copied: valid after any await. Header names are lower case. */
export type RequestHead = {
  readonly method: string
  /** As on the request line: path and query, or a whole URL. */
  readonly target: string
  readonly headers: readonly HeaderPair[]
  readonly peer: Peer
}

/**
 * Header lines of one request: as many as uWebSockets.js lets in, whose number is compiled into it. Node drops what is beyond its own
 * bound without a word, and with it what a proxy says of the client.
 */
export const MAX_HEADERS = 98
/** A name, v4 or v6 address, and a port. Anything else could smuggle a path or user into the URL. */
const HOST = /^(?:[\w.~-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i
/** HTTP/1.0 names no host; any will do, because the path decides. */
const NO_HOST = 'localhost'
/** The fetch standard has no request of these methods. */
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK'])
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS)
/** Of these none is written in another way by the fetch standard. */
const PLAIN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** A path without dots and escapes, which may be ways up, and a query that the URL standard leaves as it is. */
const PLAIN_TARGET = /^\/[\w/~-]*(?:\?[\w\-.~!$&()*+,;=:@/?%]*)?$/
const TOKEN = /^[!#$%&'*+\-.^`|~\w]+$/
const PLAIN_VALUE = /^[\t\x20-\x7e]*$/
const BODILESS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

const ORIGINS = new Origins()

export function hasTooManyHeaders(head: RequestHead): boolean {
  return head.headers.length > MAX_HEADERS
}

/** The value of a header; a name that came more than once is one list, as RFC 9110 5.3 says. */
export function headerOf(head: RequestHead, name: string): string | undefined {
  let found: string | undefined
  for (const [key, value] of head.headers) if (key === name) found = found === undefined ? value : `${found}, ${value}`
  return found
}

/**
 * What is wrong with where this request says that it ends, or with its method: what a proxy in front may read in another way. Node's
 * parser refuses most of it, the other library's takes the first length, any coding and any case.
 */
export function framingFault(head: RequestHead): ParleyError | undefined {
  let [length, coding]: (string | undefined)[] = []
  for (const [name, value] of head.headers) {
    if (name === 'content-length') length = length === undefined ? value : `${length}, ${value}`
    else if (name === 'transfer-encoding') coding = coding === undefined ? value : `${coding}, ${value}`
  }
  const fault = (message: string) => new ParleyError('bad_request', { message })
  if (!KNOWN_METHODS.has(head.method)) return fault('There is no such method')
  if (length !== undefined && !/^\d+$/.test(length)) return fault('Content-Length is not one number')
  if (coding === undefined) return undefined
  if (length !== undefined) return fault('Content-Length and Transfer-Encoding exclude each other')
  return coding.toLowerCase() === 'chunked' ? undefined : fault('Transfer-Encoding is not chunked')
}

/** Does a body follow the headers? */
export function hasBody(head: RequestHead): boolean {
  const length = headerOf(head, 'content-length')
  return headerOf(head, 'transfer-encoding') !== undefined || (length !== undefined && Number(length) !== 0)
}

/** `signal`: aborts when the client leaves. @throws ParleyError `bad_request` for what the fetch standard cannot hold */
export function toRequest(
  head: RequestHead,
  body: ReadableStream<Uint8Array> | undefined,
  signal: () => AbortSignal,
): Request {
  if (FORBIDDEN_METHODS.has(head.method)) throw new ParleyError('bad_request', { message: 'This method is not served' })
  const host = headerOf(head, 'host') ?? NO_HOST
  if (!HOST.test(host)) throw new ParleyError('bad_request', { message: 'The Host header is not well formed' })
  const carried = BODILESS_METHODS.has(head.method) ? undefined : body
  const origin = isPlain(head) ? ORIGINS.of(head.peer.secure, host) : undefined
  if (origin === undefined) return checkedRequest(head, host, carried, signal())
  return new PlainRequest({
    method: head.method,
    url: origin + head.target,
    headers: head.headers,
    body: carried,
    signal,
  })
}

/** Nothing in its line and headers has to be refused or written in another way by the URL and fetch standards. */
function isPlain({ method, target, headers }: RequestHead): boolean {
  if (!PLAIN_METHODS.has(method) || !PLAIN_TARGET.test(target)) return false
  return headers.every(([name, value]) => TOKEN.test(name) && PLAIN_VALUE.test(value) && value.trim() === value)
}

function checkedRequest(
  head: RequestHead,
  host: string,
  body: ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Request {
  const url = head.target.startsWith('/')
    ? `${head.peer.secure ? 'https' : 'http'}://${host}${head.target}`
    : head.target
  if (!URL.canParse(url)) throw new ParleyError('bad_request', { message: 'The request target is not well formed' })
  try {
    const headers = new Headers()
    for (const [name, value] of head.headers) headers.append(name, value)
    const carried = body === undefined ? {} : ({ body, duplex: 'half' } as const)
    return new Request(url, { method: head.method, headers, signal, ...carried })
  } catch (thrown) {
    throw new ParleyError('bad_request', { cause: thrown })
  }
}

/** Splits `/path?query`; the query comes without its question mark. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const at = target.indexOf('?')
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) }
}

export function toHandshake(head: RequestHead): HandshakeRequest {
  const { path, query } = splitTarget(head.target)
  const { address, secure } = head.peer
  return { path, query, address, secure, header: (name) => headerOf(head, name) }
}

/** Sixteen bytes in base64 (RFC 6455 4.1). */
const WEBSOCKET_KEY = /^[+/0-9A-Za-z]{22}==$/
const WEBSOCKET_VERSION = '13'
/** A comma separated list of tokens (RFC 6455 4.1); keys and session ids are tokens. */
const PROTOCOL_LIST = /^[!#$%&'*+\-.^`|~\w]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^`|~\w]+)*$/

export function isWebSocketUpgrade(head: RequestHead): boolean {
  return headerOf(head, 'upgrade')?.toLowerCase() === 'websocket'
}

const NOT_UPGRADED =
  'This path is a WebSocket, and the request does not ask for one; a proxy in front has to pass on Upgrade and Connection'

/** An ordinary request to the WebSocket's path is a handshake that something is wrong with. */
export function missedUpgrade(head: RequestHead, webSocketPath: string): ParleyError | undefined {
  if (!head.target.startsWith(webSocketPath)) return undefined
  return splitTarget(head.target).path === webSocketPath ? handshakeFault(head) : undefined
}

/** What is wrong with the form of a WebSocket handshake, asked before anyone else looks at it; the same on every transport. */
export function handshakeFault(head: RequestHead): ParleyError | undefined {
  const fault = (message: string) => new ParleyError('bad_request', { message })
  if (!isWebSocketUpgrade(head)) return fault(NOT_UPGRADED)
  if (head.method !== 'GET') return fault('A WebSocket handshake is a GET')
  if (!WEBSOCKET_KEY.test(headerOf(head, 'sec-websocket-key') ?? ''))
    return fault('Sec-WebSocket-Key is missing or not well formed')
  if (headerOf(head, 'sec-websocket-version') !== WEBSOCKET_VERSION) return fault('Sec-WebSocket-Version must be 13')
  const protocols = headerOf(head, 'sec-websocket-protocol')
  if (protocols === undefined) return undefined
  if (!PROTOCOL_LIST.test(protocols)) return fault('Sec-WebSocket-Protocol is not well formed')
  const offered = protocols.split(',').map((name) => name.trim())
  return new Set(offered).size === offered.length ? undefined : fault('Sec-WebSocket-Protocol names a protocol twice')
}
