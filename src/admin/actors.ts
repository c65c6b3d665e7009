import type { Principal } from '../ports/access.ts'
import type { Actor, AdminDoor } from '../ports/admin.ts'
import { type KeyStore, keyState } from '../ports/keys.ts'
import { ParleyError } from '../protocol/errors.ts'

export type DoorParts = {
  readonly keys: KeyStore
  /** Throws `rate_limit_exceeded` when this key acts too often. */
  readonly admitAct: (keyId: string) => Promise<void>
}

export function createDoor({ keys, admitAct }: DoorParts): AdminDoor {
  return {
    async enter(principal, address) {
      const { keyId = '', scopes } = principal
      if (!isAdmin(scopes)) throw new ParleyError('forbidden')
      await admitAct(keyId)
      return actorOf(keys, keyId, address)
    },
  }
}

function isAdmin(scopes: Principal['scopes']): boolean {
  return scopes.includes('admin') || scopes.includes('operator')
}

/** The key's row is read anew: acts are rare, and what was taken from a key a moment ago must not be used by it any more. */
async function actorOf(keys: KeyStore, keyId: string, address: string): Promise<Actor> {
  const row = await keys.findKey(keyId)
  if (row === undefined || keyState(row, Date.now()) !== 'live') throw new ParleyError('unauthorized')
  // Whatever a row says that somebody wrote by hand: a key that pages show administers nothing.
  if (row.kind !== 'secret' || !isAdmin(row.scopes)) throw new ParleyError('forbidden')
  if (row.scopes.includes('operator')) return { kind: 'operator', keyId, address }
  return { kind: 'admin', keyId, address, account: row.account, apps: row.apps, scopes: row.scopes }
}
