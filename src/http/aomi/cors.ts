import type { MiddlewareHandler } from 'hono'
import { LIMIT_HEADERS } from '../rate-limit.ts'
import type { HttpEnv } from '../responses.ts'
import { WholeResponse } from '../whole-response.ts'

/** Every header that any generation of the clients sends. */
const HEADERS = [
  'content-type',
  'accept',
  'authorization',
  'x-api-key',
  'aomi-app-key',
  'x-session-id',
  'x-thread-id',
  'cache-control',
  'last-event-id',
].join(', ')
/** Seconds a browser remembers what it may ask: two hours, the most that Chromium keeps. */
const MAX_AGE = '7200'

/**
 * Answers to pages of any site, as these clients are: no cookie is ever read, so a page has what it sends itself, a key or an
 * id, and nothing of its visitor's. Whether a page may use a key or the default App is judged by its Origin, as everywhere.
 */
export const anyPage: MiddlewareHandler<HttpEnv> = async (c, next) => {
  if (c.req.method === 'OPTIONS') {
    return new WholeResponse(null, {
      status: 204,
      headers: {
        'access-control-allow-origin': '*',
        'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE',
        'access-control-allow-headers': HEADERS,
        'access-control-max-age': MAX_AGE,
      },
    })
  }
  await next()
  c.res.headers.set('access-control-allow-origin', '*')
  c.res.headers.set('access-control-expose-headers', `retry-after, etag, ${LIMIT_HEADERS}`)
  return undefined
}
