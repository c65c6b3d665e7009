import { Hono } from 'hono'
import { tellLimits } from '../rate-limit.ts'
import { API_HEADERS, type HttpContext, type HttpEnv, refuseMethod, respondError } from '../responses.ts'
import { WholeResponse } from '../whole-response.ts'
import { withoutBody } from '../without-body.ts'
import { chat } from './chat.ts'
import { apps, chooseModel, describedApps, models, notServed } from './control.ts'
import { anyPage } from './cors.ts'
import { forgetDeleted } from './deletions.ts'
import { interrupt } from './interrupt.ts'
import { Memos } from './memos.ts'
import type { Aomi, AomiParts } from './parts.ts'
import { deleteProviderKey, listProviderKeys, putProviderKey } from './provider-keys.ts'
import { clearSecrets, deleteSecret, putSecrets } from './secrets.ts'
import { archiveSession, deleteSession, listSessions, makeSession, oneSession, renameSession } from './sessions.ts'
import { simulate } from './simulate.ts'
import { SnapshotTexts } from './snapshot.ts'
import { state } from './state.ts'
import { Streams } from './streams.ts'
import { events, system } from './system.ts'
import { updates } from './updates.ts'
import { challengeWallet, proveWallet } from './wallet-proof.ts'

type Route = (c: HttpContext, aomi: Aomi) => Response | Promise<Response>
type Methods = Readonly<Record<string, Route>>

/** What a session is asked, under one more name in each later generation. */
const SESSION_ROUTES: Readonly<Record<string, Methods>> = {
  chat: { POST: chat },
  state: { GET: state },
  interrupt: { POST: interrupt },
  updates: { GET: updates },
  events: { GET: events },
  system: { POST: system },
}

/** What may be chosen, under one more name in each later generation. */
const CONTROL_ROUTES: Readonly<Record<string, Methods>> = {
  models: { GET: models },
  model: { POST: chooseModel },
  'provider-keys': { GET: listProviderKeys, POST: putProviderKey },
  'provider-keys/:provider': { DELETE: deleteProviderKey },
}

const LIST_ROUTES: Readonly<Record<string, Methods>> = {
  '': { GET: listSessions, POST: makeSession },
  '/:id': { GET: oneSession, PATCH: renameSession, DELETE: deleteSession },
  '/:id/archive': { POST: archiveSession(true) },
  '/:id/unarchive': { POST: archiveSession(false) },
}

/** The contract of Aomi's clients, by path and method. */
const ROUTES: Readonly<Record<string, Methods>> = {
  ...under('/api/', SESSION_ROUTES),
  ...under('/api/session/', SESSION_ROUTES),
  ...under('/api/thread/', SESSION_ROUTES),
  ...under('/api/control/', CONTROL_ROUTES),
  ...under('/api/session/', CONTROL_ROUTES),
  ...under('/api/thread/', CONTROL_ROUTES),
  ...under('/api/sessions', LIST_ROUTES),
  ...under('/api/threads', LIST_ROUTES),
  '/api/control/apps': { GET: apps },
  '/api/control/namespaces': { GET: apps },
  '/api/session/apps': { GET: describedApps },
  '/api/thread/apps': { GET: describedApps },
  '/api/secrets': { POST: putSecrets, DELETE: clearSecrets },
  '/api/secrets/:name': { DELETE: deleteSecret },
  '/api/simulate': { POST: simulate },
  '/api/wallet/challenge': { POST: challengeWallet },
  '/api/wallet/bind': { POST: proveWallet },
  '/api/memory-mode': { POST: notServed('run sessions that are not saved') },
  '/health': { GET: () => new WholeResponse('OK', { headers: { ...API_HEADERS, 'content-type': 'text/plain' } }) },
}

/** Methods and paths that are served, aliases too: each has its cell in the access matrix. */
export function aomiRouteNames(): readonly string[] {
  return Object.entries(ROUTES).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
}

/** The HTTP that Aomi's widget, client and command line speak, as a projection of the sessions that the WebSocket serves. */
export function aomiRoutes(parts: AomiParts): Hono<HttpEnv> {
  const aomi: Aomi = { ...parts, memos: new Memos(), texts: new SnapshotTexts(), streams: new Streams() }
  forgetDeleted(aomi)
  parts.access.onRevoked((keyIds) => aomi.streams.revoked(keyIds))
  const routes = new Hono<HttpEnv>()
  routes.onError((thrown) => respondError(thrown, parts.telemetry, ({ code, message }) => ({ error: message, code })))
  tellLimits(routes, '/api/*', parts.access)
  for (const [path, methods] of Object.entries(ROUTES)) {
    routes.use(path, anyPage)
    for (const [method, route] of Object.entries(methods))
      routes.on(method, path, (c) => (c.req.method === 'HEAD' ? withoutBody(route(c, aomi)) : route(c, aomi)))
    routes.all(path, refuseMethod(Object.keys(methods).join(', ')))
  }
  return routes
}

function under(prefix: string, routes: Readonly<Record<string, Methods>>): Readonly<Record<string, Methods>> {
  return Object.fromEntries(Object.entries(routes).map(([path, methods]) => [prefix + path, methods]))
}
