import { Hono } from 'hono'
import * as v from 'valibot'
import { ParleyError } from '../protocol/errors.ts'
import { AppQuery, admit, UserSchema } from './admit.ts'
import { readInput } from './input.ts'
import { API_HEADERS, type HttpContext, type HttpEnv, refuseMethod } from './responses.ts'
import type { SessionParts } from './sessions.ts'

const PATH = '/v1/users/:user'
const Query = v.object({ ...AppQuery.entries, user: UserSchema })

/** Users: whoever a server names in its tickets. There is no record of them but their sessions. */
export function userRoutes(parts: SessionParts): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  routes.delete(PATH, (c) => remove(c, parts))
  routes.all(PATH, refuseMethod('DELETE'))
  return routes
}

/** Everything of a user of the key's account in the App. Done again, it finds nothing. */
async function remove(c: HttpContext, { access, sessions }: SessionParts): Promise<Response> {
  const { app, user } = readInput(Query, { ...c.req.query(), user: c.req.param('user') })
  const { account, keyKind } = await admit(c, access, app, 'delete')
  if (keyKind !== 'secret') throw new ParleyError('forbidden', { message: 'Deleting a user needs a secret key' })
  const done = await sessions.deleteUser({ app, user, ...(account === undefined ? {} : { account }) })
  return Response.json(done, { headers: API_HEADERS })
}
