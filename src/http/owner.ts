import * as v from 'valibot'
import { needsRandomId, type Principal } from '../ports/access.ts'
import { ownerOf } from '../ports/sessions.ts'
import type { Owner } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { isRandomSessionId, SessionIdSchema } from '../protocol/ids.ts'
import { AppQuery, UserSchema } from './admit.ts'
import { readParameters } from './input.ts'
import type { HttpContext } from './responses.ts'

/** `user`: a server asks for one of its users, as with a ticket. */
export const OwnerQuery = v.object({ ...AppQuery.entries, user: v.optional(UserSchema) })
export const OneParam = v.object({ id: SessionIdSchema })
const OneQuery = v.object({ ...OwnerQuery.entries, session: SessionIdSchema })

/** The session of the path, with whose it is said to be. */
export function readOne(c: HttpContext): v.InferOutput<typeof OneQuery> {
  return readParameters(OneQuery, { ...c.req.query(), session: c.req.param('id') })
}

/** Sessions of clients that anyone can be have random ids; an id that can be guessed is none of theirs. */
export function checkSessionId(principal: Principal, session: string): void {
  if (needsRandomId(principal) && !isRandomSessionId(session)) throw new ParleyError('session_not_found')
}

/** A secret key speaks for each user of its account: it could let itself in with a ticket for them. */
export function askedOwner({ account, user, keyKind }: Principal, app: string, asked: string | undefined): Owner {
  if (asked !== undefined && keyKind !== 'secret')
    throw new ParleyError('forbidden', { message: 'user: needs a secret key' })
  return ownerOf({ account, user: asked ?? user }, app)
}
