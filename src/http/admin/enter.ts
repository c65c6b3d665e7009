import type { Access } from '../../ports/access.ts'
import type { Actor, Admin, AdminDoor, SessionAdmin } from '../../ports/admin.ts'
import { readParameters } from '../input.ts'
import { accessRequestOf, type HttpContext } from '../responses.ts'
import type { RouteSpec, Served } from '../route.ts'

export type Administration = { readonly door: AdminDoor; readonly admin: Admin; readonly sessions: SessionAdmin }
export type AdministrationParts = { readonly access: Access; readonly administration: Administration }

/** Who asks is known before anything else of the request is read. Browsers send Origin, which no secret key may come with. */
export function withActor(
  { access, administration }: AdministrationParts,
  spec: RouteSpec,
  act: (c: HttpContext, actor: Actor, administration: Administration) => Promise<Response>,
): Served {
  const handle = async (c: HttpContext): Promise<Response> => {
    const request = accessRequestOf(c)
    const principal = await access.authenticate(request)
    const actor = await administration.door.enter(principal, access.addressOf(request).address)
    // Also where nothing may be asked for: a misspelt filter would show everything.
    if (spec.query !== undefined) readParameters(spec.query, c.req.query())
    return act(c, actor, administration)
  }
  return { spec, handle }
}
