import { Hono } from 'hono'
import { type Access, isLocal } from '../ports/access.ts'
import { ParleyError } from '../protocol/errors.ts'
import { API_HEADERS, accessRequestOf, type HttpContext, type HttpEnv, json, refuseMethod } from './responses.ts'
import { WholeResponse } from './whole-response.ts'

export type OpsParts = {
  readonly access: Access
  /** Why this process should get no traffic, in short stable words; empty: it should. */
  readonly ready: () => Promise<readonly string[]>
  /** In Prometheus's text format. */
  readonly metricsText: () => Promise<string>
  readonly metricsPublic: boolean
  readonly isKnownHost: (host: string | undefined) => boolean
}

const READS = 'GET, HEAD'
const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

/** For those who run the server: is it alive, may it get traffic, how is it doing. */
export function opsRoutes(parts: OpsParts): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  routes.get('/healthz', () => json({ status: 'ok' }))
  routes.get('/readyz', () => answerReady(parts))
  routes.get('/metrics', (c) => answerMetrics(c, parts))
  for (const path of ['/healthz', '/readyz', '/metrics']) routes.all(path, refuseMethod(READS))
  return routes
}

async function answerReady({ ready }: OpsParts): Promise<Response> {
  const reasons = await ready()
  const [status, word] = reasons.length === 0 ? [200, 'ready'] : [503, 'not ready']
  return json({ status: word, reasons }, status)
}

async function answerMetrics(c: HttpContext, parts: OpsParts): Promise<Response> {
  if (!parts.metricsPublic && !mayRead(c, parts)) {
    throw new ParleyError('forbidden', {
      message: 'Metrics are for this machine only; PARLEY_METRICS=public opens them',
    })
  }
  const text = await parts.metricsText()
  return new WholeResponse(text, { headers: { ...API_HEADERS, 'content-type': PROMETHEUS_TEXT } })
}

/** From this machine, not through a proxy on it, and not from a page whose name was made to resolve to it. */
function mayRead(c: HttpContext, { access, isKnownHost }: OpsParts): boolean {
  return isLocal(access.addressOf(accessRequestOf(c))) && isKnownHost(c.req.header('host'))
}
