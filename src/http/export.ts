import { Hono } from 'hono'
import type { Access } from '../ports/access.ts'
import type { SessionExports } from '../ports/privacy.ts'
import { admit } from './admit.ts'
import { EXPORT_TYPE, type ExportDesk } from './export-desk.ts'
import { askedOwner, checkSessionId, OneParam, OwnerQuery, readOne } from './owner.ts'
import { accessRequestOf, type HttpContext, type HttpEnv } from './responses.ts'
import { type RouteSpec, serve } from './route.ts'

export type ExportParts = { readonly access: Access; readonly exports: SessionExports }

export const EXPORT_ROUTES = {
  exportSession: {
    id: 'exportSession',
    method: 'GET',
    path: '/v1/sessions/{id}/export',
    summary: 'A session and all of its messages as JSON Lines',
    needs: ['read'],
    params: OneParam,
    query: OwnerQuery,
    answers: {
      200: {
        about: 'The session, its runs and messages, and a last line that says that it is whole',
        type: EXPORT_TYPE,
      },
    },
  },
} as const satisfies Readonly<Record<string, RouteSpec>>

/** A session as JSON Lines, for whom it is; the lines are those of `parley sessions export`. */
export function exportRoutes(parts: ExportParts, desk: ExportDesk): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  serve(routes, [{ spec: EXPORT_ROUTES.exportSession, handle: (c) => answer(c, parts, desk) }])
  return routes
}

async function answer(c: HttpContext, { access, exports }: ExportParts, desk: ExportDesk): Promise<Response> {
  const { app, user, session } = readOne(c)
  const principal = await admit(c, access, app, 'read')
  checkSessionId(principal, session)
  const owner = askedOwner(principal, app, user)
  const filter = { app, account: owner.account ?? null, user: owner.user ?? null, session }
  // A key that pages show is many people's.
  const own = principal.keyKind === 'secret' ? principal.keyId : undefined
  const who = own ?? access.addressOf(accessRequestOf(c)).address
  return desk.answer(c, session, who, async () => exports.exportSessions(filter))
}
