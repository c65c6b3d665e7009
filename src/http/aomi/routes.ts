import { Hono } from 'hono'
import { type HttpContext, type HttpEnv, refuseMethod, respondError } from '../responses.ts'
import { chat } from './chat.ts'
import { anyPage } from './cors.ts'
import { interrupt } from './interrupt.ts'
import { Memos } from './memos.ts'
import type { Aomi, AomiParts } from './parts.ts'
import { SnapshotTexts } from './snapshot.ts'
import { state } from './state.ts'
import { Streams } from './streams.ts'
import { events, system } from './system.ts'
import { updates } from './updates.ts'

type Route = (c: HttpContext, aomi: Aomi) => Response | Promise<Response>

/** The contract of Aomi's clients, by path and method. */
const ROUTES: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  '/api/chat': { POST: chat },
  '/api/state': { GET: state },
  '/api/interrupt': { POST: interrupt },
  '/api/updates': { GET: updates },
  '/api/events': { GET: events },
  '/api/system': { POST: system },
}

/** The HTTP that Aomi's widget, client and command line speak, as a projection of the sessions that the WebSocket serves. */
export function aomiRoutes(parts: AomiParts): Hono<HttpEnv> {
  const aomi: Aomi = { ...parts, memos: new Memos(), texts: new SnapshotTexts(), streams: new Streams() }
  parts.access.onRevoked((keyId) => aomi.streams.revoked(keyId))
  const routes = new Hono<HttpEnv>()
  routes.onError((thrown) => respondError(thrown, parts.telemetry, ({ code, message }) => ({ error: message, code })))
  for (const [path, methods] of Object.entries(ROUTES)) {
    routes.use(path, anyPage)
    for (const [method, route] of Object.entries(methods)) routes.on(method, path, (c) => route(c, aomi))
    routes.all(path, refuseMethod(Object.keys(methods).join(', ')))
  }
  return routes
}
