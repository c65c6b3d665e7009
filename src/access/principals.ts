import type { Principal } from '../ports/access.ts'
import type { App, Keyless } from '../ports/apps.ts'
import { type KeyRow, keyState, type Scope } from '../ports/keys.ts'
import type { Owner } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { DEFAULT_APP } from '../protocol/ids.ts'
import { type Network, readNetworks } from './networks.ts'

/** A visitor owns the sessions whose ids it made up: it may do all with them, and nothing else. */
const VISITOR_SCOPES: readonly Scope[] = ['read', 'write', 'delete']

/** Everyone without a credential; one object, because they differ in nothing but their address. */
export const ANONYMOUS: Principal = Object.freeze({ kind: 'anonymous', scopes: VISITOR_SCOPES, apps: [DEFAULT_APP] })

/** Never delete: what a key's account keeps is not a page's to remove. */
const HOLDER_SCOPES: Readonly<Record<Keyless, readonly Scope[]>> = { off: [], read: ['read'], full: ['read', 'write'] }

/** Whoever knows the id of a session that a key made, and shows no key. A user's session is not for holders of its id. */
export function holderOf(app: App, { account, user }: Owner): Principal {
  const scopes = HOLDER_SCOPES[app.aomi?.keyless ?? 'off']
  if (user !== undefined || scopes.length === 0) throw new ParleyError('unauthorized')
  return { kind: 'anonymous', scopes, apps: [app.id], ...(account === undefined ? {} : { account }) }
}

/** A proven key: who it is, and what is asked of it again at every use. */
export type Verdict = {
  readonly principal: Principal
  readonly keyId: string
  readonly account: string
  readonly publishable: boolean
  readonly apps: ReadonlySet<string>
  readonly origins: ReadonlySet<string>
  /** From where it may be used; undefined: from everywhere. */
  readonly networks: readonly Network[] | undefined
  /** Milliseconds since 1970; Infinity: never. */
  readonly expiresAt: number
  /** Of a key whose row had none when it was proven. */
  readonly newTag?: number
}

export function verdictOf(row: KeyRow): Verdict {
  const principal: Principal = Object.freeze({
    kind: 'key',
    keyId: row.id,
    keyKind: row.kind,
    account: row.account,
    scopes: row.scopes,
    apps: row.apps,
  })
  return {
    principal,
    keyId: row.id,
    account: row.account,
    publishable: row.kind === 'publishable',
    apps: new Set(row.apps),
    origins: new Set(row.origins),
    // What cannot be read lets nobody in.
    networks: row.addresses.length === 0 ? undefined : readNetworks(row.addresses),
    expiresAt: row.expiresAt ?? Number.POSITIVE_INFINITY,
  }
}

/** May this row be used at all? */
export function isLive(row: KeyRow | undefined, now: number): row is KeyRow {
  return row !== undefined && keyState(row, now) === 'live'
}
