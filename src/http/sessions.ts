import { Hono } from 'hono'
import * as v from 'valibot'
import type { Access, Principal } from '../ports/access.ts'
import type { SessionDirectory } from '../ports/sessions.ts'
import type { SessionSummary } from '../ports/store.ts'
import { SessionUpdateSchema } from '../protocol/commands.ts'
import { SessionIdSchema } from '../protocol/ids.ts'
import { MUST_BE_TIME } from '../protocol/in-words.ts'
import { MAX_PAGE_MESSAGES } from '../protocol/limits.ts'
import { admit } from './admit.ts'
import { readInput, readJson, readParameters } from './input.ts'
import { askedOwner, checkSessionId, OneParam, OwnerQuery, readOne } from './owner.ts'
import { charge } from './rate-limit.ts'
import { done, type HttpContext, type HttpEnv, json } from './responses.ts'
import { type RouteSpec, serve } from './route.ts'

export type SessionParts = { readonly access: Access; readonly sessions: SessionDirectory }

const ONE = '/v1/sessions/{id}'
/** Sessions in a list when nobody says how many: a screen or two. */
const DEFAULT_LIMIT = 50

const Limit = v.pipe(v.string(), v.regex(/^\d{1,4}$/, 'must be a number'), v.transform(Number))
const ListQuery = v.object({
  ...OwnerQuery.entries,
  limit: v.optional(v.pipe(Limit, v.minValue(1), v.maxValue(MAX_PAGE_MESSAGES)), String(DEFAULT_LIMIT)),
  /** The `updatedAt` of the last one of the page before. */
  before: v.optional(
    v.pipe(
      v.string(),
      v.isoTimestamp(),
      v.transform((text) => Date.parse(text)),
      // An offset without minutes passes for one, and is no time to the engine.
      v.check((time) => Number.isFinite(time), MUST_BE_TIME),
    ),
  ),
  /** The `id` of that one: without it those that were changed in the same millisecond are passed over. */
  beforeId: v.optional(SessionIdSchema),
})
/** The same title as `session.update` takes. */
const TitleBody = v.strictObject({ title: v.unwrap(SessionUpdateSchema.entries.title) })

const Listed = v.strictObject({
  sessions: v.array(
    v.strictObject({
      id: v.string(),
      title: v.optional(v.string()),
      status: v.picklist(['idle', 'processing', 'interrupted']),
      updatedAt: v.pipe(v.string(), v.isoTimestamp()),
    }),
  ),
})

export const SESSION_ROUTES = {
  listSessions: {
    id: 'listSessions',
    method: 'GET',
    path: '/v1/sessions',
    summary: 'The sessions of whoever asks in one App, the last changed first',
    needs: ['read'],
    query: ListQuery,
    answers: { 200: { about: 'The sessions', schema: Listed } },
  },
  renameSession: {
    id: 'renameSession',
    method: 'PATCH',
    path: ONE,
    summary: 'Gives a session a title',
    needs: ['write'],
    params: OneParam,
    query: OwnerQuery,
    body: TitleBody,
    answers: { 200: { about: 'The title', schema: v.strictObject({ id: v.string(), title: v.string() }) } },
  },
  deleteSession: {
    id: 'deleteSession',
    method: 'DELETE',
    path: ONE,
    summary: 'Stops the session, closes its connections and deletes it',
    needs: ['delete'],
    params: OneParam,
    query: OwnerQuery,
    answers: { 204: { about: 'Done' } },
  },
} as const satisfies Readonly<Record<string, RouteSpec>>

/** Sessions by HTTP: what a list of conversations needs. Bodies and refusals as in the protocol's README. */
export function sessionRoutes(parts: SessionParts): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  serve(routes, [
    { spec: SESSION_ROUTES.listSessions, handle: (c) => list(c, parts) },
    { spec: SESSION_ROUTES.renameSession, handle: (c) => rename(c, parts) },
    { spec: SESSION_ROUTES.deleteSession, handle: (c) => remove(c, parts) },
  ])
  return routes
}

async function list(c: HttpContext, { access, sessions }: SessionParts): Promise<Response> {
  const { app, user, limit, before, beforeId } = readParameters(ListQuery, c.req.query())
  const principal = await admit(c, access, app, 'read')
  const owner = askedOwner(principal, app, user)
  const place = before === undefined || beforeId === undefined ? before : { updatedAt: before, id: beforeId }
  const found = mayList(principal) ? await sessions.list(owner, limit, { before: place }) : []
  return json({ sessions: found.map(toJson) })
}

async function rename(c: HttpContext, { access, sessions }: SessionParts): Promise<Response> {
  const { app, user, session } = readOne(c)
  const { title } = readInput(TitleBody, await readJson(c))
  const principal = await admit(c, access, app, 'write')
  checkSessionId(principal, session)
  await charge(c, access)
  await sessions.rename(askedOwner(principal, app, user), session, title)
  return json({ id: session, title })
}

async function remove(c: HttpContext, { access, sessions }: SessionParts): Promise<Response> {
  const { app, user, session } = readOne(c)
  const principal = await admit(c, access, app, 'delete')
  checkSessionId(principal, session)
  await charge(c, access)
  await sessions.delete(askedOwner(principal, app, user), session)
  return done()
}

/** All who share a publishable key share its account: to them the list of that account would be other people's talks. */
function mayList(principal: Principal): boolean {
  return principal.user !== undefined || (principal.account !== undefined && principal.keyKind === 'secret')
}

function toJson({ id, title, status, updatedAt }: SessionSummary): Record<string, string | undefined> {
  return { id, title, status, updatedAt: new Date(updatedAt).toISOString() }
}
