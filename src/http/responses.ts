import type { Context } from 'hono'
import type { AccessRequest, Principal } from '../ports/access.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import type { Peer } from '../ports/transport.ts'
import { ParleyError, toErrorBody, toParleyError } from '../protocol/errors.ts'
import { WholeResponse } from './whole-response.ts'

/** What every handler is given beside the request. */
export type HttpEnv = {
  Bindings: { readonly peer: Peer }
  /** Who asks, once that is known. */
  Variables: { principal?: Principal }
}
export type HttpContext = Context<HttpEnv>

const MS_PER_SECOND = 1000
const [OK, NO_CONTENT, METHOD_NOT_ALLOWED] = [200, 204, 405]

/** Nothing of an answer is kept by browsers or proxies, and none of it is taken for a page. */
export const API_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** The request as access control reads it. */
export function accessRequestOf(c: HttpContext): AccessRequest {
  const { peer } = c.env
  return { header: (name) => c.req.header(name), address: peer.address, secure: peer.secure }
}

/** What an API says. `more`: headers beside those of all its answers. */
export function json(body: unknown, status = OK, more: Readonly<Record<string, string>> = {}): Response {
  const headers = { 'content-type': 'application/json', ...API_HEADERS, ...more }
  return new WholeResponse(JSON.stringify(body), { status, headers })
}

/** It was done, and there is nothing to say. */
export function done(): Response {
  return new WholeResponse(null, { status: NO_CONTENT, headers: API_HEADERS })
}

/** The one way out for failures: the error envelope of the protocol (or another contract's), and Retry-After where there is a time. */
export function respondError(
  thrown: unknown,
  telemetry: Telemetry,
  toBody: (error: ParleyError) => object = toErrorBody,
): Response {
  const error = toParleyError(thrown)
  telemetry.count('errors_total', 1, error.code)
  if (error.code === 'internal_error') telemetry.log('error', 'request failed', {}, error.cause ?? error)
  else if (error.code === 'bad_request' && error.cause !== undefined) telemetry.log('debug', 'request not read', {})
  const retryAfter: Record<string, string> =
    error.retryAfterMs === undefined ? {} : { 'retry-after': seconds(error.retryAfterMs) }
  return json(toBody(error), error.status, retryAfter)
}

/** `allowed`: the methods of this path, as the Allow header lists them. */
export function refuseMethod(allowed: string): () => Response {
  return () => {
    const error = new ParleyError('bad_request', { message: `This path answers ${allowed} only` })
    return json(toErrorBody(error), METHOD_NOT_ALLOWED, { allow: allowed })
  }
}

function seconds(ms: number): string {
  return String(Math.ceil(ms / MS_PER_SECOND))
}
