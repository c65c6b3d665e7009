import type { IncomingHttpHeaders } from 'node:http'
import { connectUpstream } from './upstream-connect.ts'
import { type UpstreamBody, UpstreamExchange } from './upstream-exchange.ts'

/** Bytes of an error's body that are read: more than any API error; a proxy's page may be longer. */
const ERROR_BODY_BYTES = 64 * 1024
/** Milliseconds that an idle connection is kept for the next request: a person's pause between two messages. */
const KEEP_ALIVE_MS = 30_000
const FIRST_NOT_OK = 300
/** The one status of an error whose Response may not have a body. */
const NOT_MODIFIED = 304

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

export type UpstreamFetch = {
  readonly fetch: Fetch
  /** What a successful response of `fetch` brings; undefined for any other. */
  readonly bodyOf: (response: Response) => UpstreamBody | undefined
}

/**
 * A `fetch` for SDKs, over undici's dispatcher: the body of a success comes straight from the parser of its socket. A web stream
 * between the socket and us costs more than all else that happens to a token, and a Node stream shows in its profile (docs/performance.md).
 * Loaded on first use.
 */
export async function createUpstreamFetch(): Promise<UpstreamFetch> {
  const { Agent, buildConnector } = await import('undici')
  // Silence is judged by the run's stall watchdog, and how many requests are on by the provider: neither belongs here.
  const connect = connectUpstream(buildConnector)
  const dispatcher = new Agent({ bodyTimeout: 0, headersTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, connect })
  const bodies = new WeakMap<Response, UpstreamBody>()
  return {
    async fetch(input, init) {
      const { origin, pathname, search } = new URL(input instanceof Request ? input.url : input)
      const exchange = new UpstreamExchange(init?.signal ?? undefined)
      const request = {
        origin,
        path: pathname + search,
        method: init?.method === 'POST' ? 'POST' : 'GET',
        headers: Object.fromEntries(new Headers(init?.headers)),
        body: typeof init?.body === 'string' ? init.body : null,
      } as const
      dispatcher.dispatch(request, exchange)
      const { status, headers, body } = await exchange.head
      const head = { status, headers: toHeaders(headers) }
      if (status >= FIRST_NOT_OK) {
        const text = await firstBytes(body)
        return new Response(status === NOT_MODIFIED ? null : text, head)
      }
      const response = new Response(null, head)
      bodies.set(response, body)
      return response
    },
    bodyOf: (response) => bodies.get(response),
  }
}

function toHeaders(from: IncomingHttpHeaders): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(from)) for (const one of [value ?? []].flat()) headers.append(name, one)
  return headers
}

/** Leaves the rest. Rejects when the body breaks off. */
function firstBytes(body: UpstreamBody): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    const text = (): void => resolve(Buffer.concat(chunks).toString())
    body.read({
      chunk: (bytes) => {
        chunks.push(bytes)
        size += bytes.length
        if (size < ERROR_BODY_BYTES) return
        text()
        body.leave()
      },
      ended: (error) => (error === undefined ? text() : reject(error)),
    })
  })
}
