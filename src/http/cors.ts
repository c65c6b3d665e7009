import type { Hono } from 'hono'
import { ParleyError } from '../protocol/errors.ts'
import { LIMIT_HEADERS } from './rate-limit.ts'
import type { HttpEnv } from './responses.ts'
import { WholeResponse } from './whole-response.ts'

const METHODS = 'GET, HEAD, PATCH, DELETE'
const HEADERS = 'content-type, authorization, x-api-key, aomi-app-key, x-session-id'
/** Seconds a browser remembers what it may ask: two hours, the most that Chromium keeps. */
const MAX_AGE = '7200'
const ORIGIN = /^https?:\/\/[^\s/?#@,;"']{1,255}$/

/**
 * Lets pages of other sites use the API below `path`. A preflight carries no credential, so it cannot be told which key's
 * origins count: it is answered to all. No cookie is ever read here, so the request itself is judged by its key and Origin,
 * and a page that is refused for its origin cannot read even that.
 */
export function allowPages(routes: Hono<HttpEnv>, path: string): void {
  routes.use(path, async (c, next) => {
    const origin = c.req.header('origin')
    const isPage = origin !== undefined && ORIGIN.test(origin)
    if (isPage && c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined) {
      return new WholeResponse(null, { status: 204, headers: preflightHeaders(origin) })
    }
    await next()
    c.res.headers.append('vary', 'origin')
    const isShut = c.error instanceof ParleyError && c.error.code === 'origin_not_allowed'
    if (isPage && !isShut) {
      c.res.headers.set('access-control-allow-origin', origin)
      c.res.headers.set('access-control-expose-headers', `retry-after, ${LIMIT_HEADERS}`)
    }
    return undefined
  })
}

function preflightHeaders(origin: string): Record<string, string> {
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': HEADERS,
    'access-control-max-age': MAX_AGE,
    vary: 'origin',
  }
}
