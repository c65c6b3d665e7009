import { Hono } from 'hono'
import type { Access } from '../ports/access.ts'
import type { Standing } from '../ports/accounts.ts'
import { resetOf } from './rate-limit.ts'
import { API_HEADERS, accessRequestOf, type HttpContext, type HttpEnv, refuseMethod } from './responses.ts'

const PATH = '/v1/auth/test'

/** Is this key good, and for what? Asks for no scope and no App. */
export function authTestRoutes(access: Access): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  routes.get(PATH, (c) => answer(c, access))
  routes.all(PATH, refuseMethod('GET, HEAD'))
  return routes
}

async function answer(c: HttpContext, access: Access): Promise<Response> {
  const principal = await access.authenticate(accessRequestOf(c))
  c.set('principal', principal)
  const { account, keyId, keyKind, scopes, apps } = principal
  const who = { authenticated: true, user: { id: account }, key: { id: keyId, kind: keyKind } }
  const standing = await access.standing(principal)
  const body = { ...who, scopes, apps, ...(standing === undefined ? {} : { rate_limit: rateLimitOf(standing) }) }
  return Response.json(body, { headers: API_HEADERS })
}

/** The same as the headers say. */
function rateLimitOf({ limit, remaining, resetMs }: Standing): Readonly<Record<string, number>> {
  return { limit, remaining, reset: resetOf(resetMs) }
}
