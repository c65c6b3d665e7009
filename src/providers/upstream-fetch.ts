import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'

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
  /** What a successful response of `fetch` streams; undefined for any other. */
  readonly bodyOf: (response: Response) => Readable | undefined
}

/**
 * A `fetch` for SDKs, over undici's own request: the body of a success stays a Node stream. A web stream between the socket
 * and us costs more than all else that happens to a token (docs/performance.md). Loaded on first use.
 */
export async function createUpstreamFetch(): Promise<UpstreamFetch> {
  const { Agent, request } = await import('undici')
  // Silence is judged by the run's stall watchdog, and how many requests are on by the provider: neither belongs here.
  const dispatcher = new Agent({ bodyTimeout: 0, headersTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS })
  const bodies = new WeakMap<Response, Readable>()
  return {
    async fetch(input, init) {
      const { statusCode, headers, body } = await request(input instanceof Request ? input.url : input, {
        dispatcher,
        method: init?.method === 'POST' ? 'POST' : 'GET',
        headers: Object.fromEntries(new Headers(init?.headers)),
        body: typeof init?.body === 'string' ? init.body : null,
        signal: init?.signal ?? null,
      })
      const head = { status: statusCode, headers: toHeaders(headers) }
      if (statusCode >= FIRST_NOT_OK) {
        const text = await firstBytes(body)
        return new Response(statusCode === NOT_MODIFIED ? null : text, head)
      }
      // Whoever reads it listens, too; an abort between here and there must not be an unhandled error.
      body.on('error', () => undefined)
      const response = new Response(null, head)
      bodies.set(response, body)
      return response
    },
    bodyOf: (response) => bodies.get(response),
  }
}

function toHeaders(from: Dispatcher.ResponseData['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(from)) for (const one of [value ?? []].flat()) headers.append(name, one)
  return headers
}

/** Leaving the loop ends the rest of the transfer. */
async function firstBytes(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk)
    chunks.push(bytes)
    size += bytes.length
    if (size >= ERROR_BODY_BYTES) break
  }
  return Buffer.concat(chunks).toString()
}
