import { Hono } from 'hono'
import type { Telemetry } from '../ports/telemetry.ts'
import type { Peer } from '../ports/transport.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { AomiParts } from './aomi/parts.ts'
import { aomiRoutes } from './aomi/routes.ts'
import { type OpsParts, opsRoutes } from './ops.ts'
import { type PageParts, pageRoutes } from './page.ts'
import { type HttpEnv, respondError } from './responses.ts'
import { type SessionParts, sessionRoutes } from './sessions.ts'

export type HttpParts = OpsParts & PageParts & SessionParts & AomiParts & { readonly telemetry: Telemetry }

/** Everything that Parley serves besides the WebSocket. The answer never rejects. */
export function createHttp(parts: HttpParts): (request: Request, peer: Peer) => Promise<Response> {
  const app = new Hono<HttpEnv>()
  app.onError((thrown) => respondError(thrown, parts.telemetry))
  app.notFound(() => respondError(new ParleyError('not_found', { message: NOTHING_HERE }), parts.telemetry))
  app.route('/', opsRoutes(parts))
  app.route('/', sessionRoutes(parts))
  app.route('/', aomiRoutes(parts))
  app.route('/', pageRoutes(parts))
  return async (request, peer) => app.fetch(request, { peer })
}

const NOTHING_HERE = 'There is nothing at this path'
