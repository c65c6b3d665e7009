import type { AccountStore } from '../ports/accounts.ts'
import type { AdminStore } from '../ports/admin-store.ts'
import type { KeyKind, KeyRow, KeyStore } from '../ports/keys.ts'
import type { AppStore } from '../ports/store.ts'
import type { ServerLimits } from './tenant-limits.ts'

export type AdminParts = {
  readonly store: KeyStore & AppStore & AccountStore
  readonly reads: Omit<AdminStore, 'pageSessions' | 'usage'>
  /** What Apps may take of the server that no operator gave more. */
  readonly limits: ServerLimits
  /** By name: what accounts may be given. */
  readonly plans: ReadonlyMap<string, unknown>
  /** Milliseconds for which acts are kept. */
  readonly auditKeepMs: number
  /** Reads an App's definition; throws `invalid_value`. */
  readonly parseDefinition: (input: unknown) => { readonly id: string }
  readonly mintKey: (kind: KeyKind) => Promise<Pick<KeyRow, 'id' | 'hash' | 'tag'> & { readonly key: string }>
  /** An address or a network as it is stored; undefined: it is none. */
  readonly plainNetwork: (text: string) => string | undefined
}
