import { Hono } from 'hono'
import * as v from 'valibot'
import type { Access } from '../ports/access.ts'
import { SessionIdSchema } from '../protocol/ids.ts'
import { AppQuery, admit, UserSchema } from './admit.ts'
import { readInput, readJson, readParameters } from './input.ts'
import { charge } from './rate-limit.ts'
import { type HttpContext, type HttpEnv, json } from './responses.ts'
import { type RouteSpec, serve } from './route.ts'

const CREATED = 201
const SCOPES = ['read', 'write', 'delete'] as const

const Body = v.strictObject({
  session: SessionIdSchema,
  user: UserSchema,
  scopes: v.optional(
    v.pipe(
      v.array(v.picklist(SCOPES)),
      v.maxLength(SCOPES.length),
      v.check((scopes) => scopes.includes('read'), 'must hold read: nothing opens without it'),
    ),
    ['read', 'write'],
  ),
})

const Minted = v.strictObject({
  ticket: v.string(),
  app: v.string(),
  session: v.string(),
  user: v.string(),
  scopes: v.array(v.picklist(SCOPES)),
  expiresAt: v.pipe(v.string(), v.isoTimestamp()),
})

export const TICKET_ROUTES = {
  mintTicket: {
    id: 'mintTicket',
    method: 'POST',
    path: '/v1/tickets',
    summary: 'Makes a ticket that lets one user into one session, once',
    needs: ['write'],
    query: AppQuery,
    body: Body,
    answers: { [CREATED]: { about: 'The ticket', schema: Minted } },
  },
} as const satisfies Readonly<Record<string, RouteSpec>>

/** Tickets: with one a server lets one browser into one session, without giving a key away. */
export function ticketRoutes(access: Access): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  serve(routes, [{ spec: TICKET_ROUTES.mintTicket, handle: (c) => mint(c, access) }])
  return routes
}

async function mint(c: HttpContext, access: Access): Promise<Response> {
  const { app } = readParameters(AppQuery, c.req.query())
  const grant = readInput(Body, await readJson(c))
  const principal = await admit(c, access, app, 'write')
  await charge(c, access)
  const { ticket, expiresAt } = await access.mintTicket(principal, app, grant)
  const body = { ticket, app, ...grant, expiresAt: new Date(expiresAt).toISOString() }
  return json(body, CREATED)
}
