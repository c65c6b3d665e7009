import type { Principal } from '../ports/access.ts'
import type { App, Keyless } from '../ports/apps.ts'
import type { Scope } from '../ports/keys.ts'
import type { Owner } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'

/** Never delete: what a key's account keeps is not a page's to remove. */
const SCOPES: Readonly<Record<Keyless, readonly Scope[]>> = { off: [], read: ['read'], full: ['read', 'write'] }

/** Whoever knows the id of a session that a key made, and shows no key. A user's session is not for holders of its id. */
export function holderOf(app: App, { account, user }: Owner): Principal {
  const scopes = SCOPES[app.aomi?.keyless ?? 'off']
  if (user !== undefined || scopes.length === 0) throw new ParleyError('unauthorized')
  return { kind: 'anonymous', scopes, apps: [app.id], ...(account === undefined ? {} : { account }) }
}
