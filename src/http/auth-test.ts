import { Hono } from 'hono'
import * as v from 'valibot'
import type { Access } from '../ports/access.ts'
import type { Standing } from '../ports/accounts.ts'
import { resetOf } from './rate-limit.ts'
import { accessRequestOf, type HttpContext, type HttpEnv, json } from './responses.ts'
import { type RouteSpec, serve } from './route.ts'

const Body = v.strictObject({
  authenticated: v.literal(true),
  user: v.strictObject({ id: v.string() }),
  key: v.strictObject({ id: v.string(), kind: v.picklist(['secret', 'publishable']) }),
  scopes: v.array(v.picklist(['read', 'write', 'delete', 'admin', 'operator'])),
  apps: v.array(v.string()),
  rate_limit: v.optional(v.strictObject({ limit: v.number(), remaining: v.number(), reset: v.number() })),
})

export const AUTH_ROUTES = {
  testKey: {
    id: 'testKey',
    method: 'GET',
    path: '/v1/auth/test',
    summary: 'Is this key good, and for what?',
    needs: 'key',
    answers: { 200: { about: 'It is', schema: Body } },
  },
} as const satisfies Readonly<Record<string, RouteSpec>>

/** Asks for no scope and no App. */
export function authTestRoutes(access: Access): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  serve(routes, [{ spec: AUTH_ROUTES.testKey, handle: (c) => answer(c, access) }])
  return routes
}

async function answer(c: HttpContext, access: Access): Promise<Response> {
  const principal = await access.authenticate(accessRequestOf(c))
  c.set('principal', principal)
  const { account, keyId, keyKind, scopes, apps } = principal
  const who = { authenticated: true, user: { id: account }, key: { id: keyId, kind: keyKind } }
  const standing = await access.standing(principal)
  const body = { ...who, scopes, apps, ...(standing === undefined ? {} : { rate_limit: rateLimitOf(standing) }) }
  return json(body)
}

/** The same as the headers say. */
function rateLimitOf({ limit, remaining, resetMs }: Standing): Readonly<Record<string, number>> {
  return { limit, remaining, reset: resetOf(resetMs) }
}
