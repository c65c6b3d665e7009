import { Hono } from 'hono'
import type { Telemetry } from '../ports/telemetry.ts'
import type { Answer, Peer } from '../ports/transport.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { AdministrationParts } from './admin/enter.ts'
import { adminRoutes } from './admin/routes.ts'
import type { AomiParts } from './aomi/parts.ts'
import { aomiRoutes } from './aomi/routes.ts'
import { type AppSchemaParts, appSchemaRoutes } from './app-schema.ts'
import { authTestRoutes } from './auth-test.ts'
import { allowPages } from './cors.ts'
import { type ExportParts, exportRoutes } from './export.ts'
import { ExportDesk } from './export-desk.ts'
import { openApiRoutes } from './openapi.ts'
import { type OpsParts, opsRoutes } from './ops.ts'
import { type PageParts, pageRoutes } from './page.ts'
import { tellLimits } from './rate-limit.ts'
import { type HttpEnv, respondError } from './responses.ts'
import { type SessionParts, sessionRoutes } from './sessions.ts'
import { ticketRoutes } from './tickets.ts'
import { userRoutes } from './users.ts'
import { WholeResponse } from './whole-response.ts'

export type HttpParts = OwnParts & AomiParts

type OwnParts = OpsParts &
  AppSchemaParts &
  PageParts &
  SessionParts &
  ExportParts & {
    readonly telemetry: Telemetry
    /** Browsers that came over TLS are told to come by nothing else. */
    readonly requireHttps: boolean
    /** Absent: nothing is administered over HTTP. */
    readonly administration?: AdministrationParts['administration']
  }

/** Seconds that a browser keeps that in mind: a year, the usual. */
const STRICT_TRANSPORT = 'max-age=31536000'

/** Everything that Parley serves besides the WebSocket. The answer never rejects. */
export function createHttp(parts: HttpParts): (request: Request, peer: Peer) => Promise<Response | Answer> {
  const app = routesOf(parts, aomiRoutes(parts))
  return async (request, peer) => {
    const response = await app.fetch(request, { peer })
    if (!(response instanceof WholeResponse)) return response
    const { status, headers, content } = response
    return { status, headers: headers.pairs, content }
  }
}

/** `others`: routes of other contracts, which have their own rules for who may do what. */
export function routesOf(parts: OwnParts, others?: Hono<HttpEnv>): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.onError((thrown) => respondError(thrown, parts.telemetry))
  app.notFound(() => respondError(new ParleyError('not_found', { message: NOTHING_HERE }), parts.telemetry))
  if (parts.requireHttps) sayHttpsOnly(app)
  app.route('/', opsRoutes(parts))
  const { access, administration } = parts
  const desk = new ExportDesk()
  // Before pages are let in: none may administer.
  if (administration !== undefined) app.route('/', adminRoutes({ access, administration }, desk))
  allowPages(app, '/v1/*')
  app.route('/', appSchemaRoutes(parts))
  tellLimits(app, '/v1/*', parts.access)
  app.route('/', authTestRoutes(parts.access))
  app.route('/', sessionRoutes(parts))
  app.route('/', exportRoutes(parts, desk))
  app.route('/', userRoutes(parts))
  app.route('/', ticketRoutes(parts.access))
  app.route('/', openApiRoutes(administration !== undefined))
  if (others !== undefined) app.route('/', others)
  app.route('/', pageRoutes(parts))
  return app
}

const NOTHING_HERE = 'There is nothing at this path'

/** Said over TLS only (RFC 6797 7.2). Who names a scheme that is not theirs binds nobody but themselves. */
function sayHttpsOnly(routes: Hono<HttpEnv>): void {
  routes.use('*', async (c, next) => {
    await next()
    if (c.env.peer.secure || c.req.header('x-forwarded-proto') === 'https')
      c.res.headers.set('strict-transport-security', STRICT_TRANSPORT)
  })
}
