import { Hono } from 'hono'
import type { Access } from '../ports/access.ts'
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
  const { account, keyId, keyKind, scopes, apps } = await access.authenticate(accessRequestOf(c))
  const body = { authenticated: true, user: { id: account }, key: { id: keyId, kind: keyKind }, scopes, apps }
  return Response.json(body, { headers: API_HEADERS })
}
