import type { Hono } from 'hono'
import type { Access } from '../ports/access.ts'
import type { HttpContext, HttpEnv } from './responses.ts'

const MS_PER_SECOND = 1000
/** What pages of other sites may read of an answer. */
export const LIMIT_HEADERS = 'x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset'

/** Counts this request against the plan of whoever was admitted; throws `rate_limit_exceeded`. What starts an answer counts by itself. */
export async function charge(c: HttpContext, access: Access): Promise<void> {
  const principal = c.get('principal')
  if (principal !== undefined) await access.charge(principal)
}

/** Each answer below `path` to someone whose account has a plan says where it stands, in the window that would refuse it first. */
export function tellLimits(routes: Hono<HttpEnv>, path: string, access: Access): void {
  routes.use(path, async (c, next) => {
    await next()
    const principal = c.get('principal')
    const standing = principal && (await access.standing(principal))
    if (standing === undefined) return
    c.res.headers.set('x-ratelimit-limit', String(standing.limit))
    c.res.headers.set('x-ratelimit-remaining', String(standing.remaining))
    c.res.headers.set('x-ratelimit-reset', String(resetOf(standing.resetMs)))
  })
}

/** Seconds since 1970, rounded up: what comes then is in the new window. */
export function resetOf(resetMs: number): number {
  return Math.ceil((Date.now() + resetMs) / MS_PER_SECOND)
}
