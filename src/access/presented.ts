import type { AccessRequest } from '../ports/access.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Verdict } from './principals.ts'

const KEY_HEADERS = ['aomi-app-key', 'x-api-key']
const BEARER = /^bearer +(\S+)$/i

/** The first key that the request shows, in the protocol's order; undefined: none. */
export function presentedKey(request: AccessRequest): string | undefined {
  for (const name of KEY_HEADERS) {
    const value = request.header(name)?.trim()
    if (value) return value
  }
  return BEARER.exec(request.header('authorization')?.trim() ?? '')?.[1] ?? request.key
}

/** A publishable key is good on pages of its origins, a secret one on none. Throws `origin_not_allowed`, `forbidden`. */
export function checkOrigin(verdict: Verdict, origin: string | undefined): void {
  if (!verdict.publishable) {
    // A secret key in a browser is a secret no more.
    if (origin !== undefined)
      throw new ParleyError('forbidden', { message: 'A secret key must not be used in a browser' })
  } else if (origin === undefined || origin === 'null' || !verdict.origins.has(origin.toLowerCase())) {
    throw new ParleyError('origin_not_allowed')
  }
}
