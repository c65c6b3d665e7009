import * as v from 'valibot'
import type { Access, Principal } from '../ports/access.ts'
import type { Scope } from '../ports/keys.ts'
import { AppIdSchema, DEFAULT_APP } from '../protocol/ids.ts'
import { MAX_NAME_LENGTH } from '../protocol/limits.ts'
import { StorableText } from '../protocol/messages.ts'
import { accessRequestOf, type HttpContext } from './responses.ts'

/** The App that a request is about, as the WebSocket names it. */
export const AppQuery = v.object({ app: v.optional(AppIdSchema, DEFAULT_APP) })

/** Whoever the server that asks says it is: an id of its own, on one line. */
export const UserSchema = v.pipe(
  StorableText,
  v.minLength(1),
  v.maxLength(MAX_NAME_LENGTH),
  v.regex(/^\P{Cc}*$/u, 'must be one line'),
)

/** Who asks; throws what `identify` throws, and `forbidden` without the scope. */
export async function admit(c: HttpContext, access: Access, app: string, scope: Scope): Promise<Principal> {
  const principal = await access.identify(accessRequestOf(c), app)
  c.set('principal', principal)
  access.require(principal, scope)
  return principal
}
