import type { Release } from '../ports/access.ts'
import type { Caller } from './caller.ts'
import type { Core } from './core.ts'

/**
 * A place among the connections of the address, of the key and of the App, or none: throws `rate_limit_exceeded`, and
 * `unauthorized` when its key was revoked since it was shown.
 */
export function takePlace({ access }: Core, { from, ...guest }: Pick<Caller, 'from' | 'principal' | 'app'>): Release {
  access.require(guest.principal, 'read')
  const leaveAddress = access.admitConnection(from)
  try {
    const leave = access.admitGuest(guest)
    return () => {
      leaveAddress()
      leave()
    }
  } catch (thrown) {
    leaveAddress()
    throw thrown
  }
}
