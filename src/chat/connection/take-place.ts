import type { Core } from '../core.ts'
import type { Caller } from './caller.ts'

type Guest = Pick<Caller, 'from' | 'principal' | 'app'>

/**
 * A place among the connections of the address, of the key and of the App, or none: throws `rate_limit_exceeded`, and
 * `unauthorized` when its key was revoked since it was shown.
 */
export function takePlace({ access }: Core, guest: Guest): void {
  access.require(guest.principal, 'read')
  access.admitConnection(guest.from)
  try {
    access.admitGuest(guest)
  } catch (thrown) {
    access.leaveConnection(guest.from)
    throw thrown
  }
}

/** Gives it back. */
export function leavePlace({ access }: Core, guest: Guest): void {
  access.leaveGuest(guest)
  access.leaveConnection(guest.from)
}
