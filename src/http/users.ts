import { Hono } from 'hono'
import * as v from 'valibot'
import { ownerOf } from '../ports/sessions.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AppQuery, admit, UserSchema } from './admit.ts'
import { readParameters } from './input.ts'
import { charge } from './rate-limit.ts'
import { type HttpContext, type HttpEnv, json } from './responses.ts'
import { type RouteSpec, serve } from './route.ts'
import type { SessionParts } from './sessions.ts'

const UserParam = v.object({ user: UserSchema })
const Query = v.object({ ...AppQuery.entries, user: UserSchema })

const Done = v.strictObject({ deleted: v.number(), complete: v.boolean() })

export const USER_ROUTES = {
  deleteUser: {
    id: 'deleteUser',
    method: 'DELETE',
    path: '/v1/users/{user}',
    summary: 'Deletes all sessions of a user of the key’s account in one App',
    needs: ['delete'],
    params: UserParam,
    query: AppQuery,
    answers: { 200: { about: 'How many sessions went, and whether those were all', schema: Done } },
  },
} as const satisfies Readonly<Record<string, RouteSpec>>

/** Users: whoever a server names in its tickets. There is no record of them but their sessions. */
export function userRoutes(parts: SessionParts): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  serve(routes, [{ spec: USER_ROUTES.deleteUser, handle: (c) => remove(c, parts) }])
  return routes
}

/** Everything of a user of the key's account in the App. Done again, it finds nothing. */
async function remove(c: HttpContext, { access, sessions }: SessionParts): Promise<Response> {
  const { app, user } = readParameters(Query, { ...c.req.query(), user: c.req.param('user') })
  const { account, keyKind } = await admit(c, access, app, 'delete')
  if (keyKind !== 'secret') throw new ParleyError('forbidden', { message: 'Deleting a user needs a secret key' })
  await charge(c, access)
  const done = await sessions.deleteUser({ ...ownerOf({ account }, app), user })
  return json(done)
}
