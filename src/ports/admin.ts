import type { Principal } from './access.ts'
import type { AccountRow, PageQuery, UsageRow } from './admin-store.ts'
import type { ActRow } from './audit.ts'
import type { KeyKind, KeyRow, Scope } from './keys.ts'
import type { ExportLine } from './privacy.ts'
import type { AppRow, HistoryPage, SessionPlace, SessionRow } from './store.ts'

/** Who administers: whoever is at the host's command line, the holder of an operator's key, or of an account's admin key. */
export type Actor =
  | { readonly kind: 'cli' }
  | { readonly kind: 'operator'; readonly keyId: string; readonly address: string }
  | {
      readonly kind: 'admin'
      readonly keyId: string
      readonly address: string
      readonly account: string
      /** As the store has them now: what the key may do with others. */
      readonly apps: readonly string[]
      readonly scopes: readonly Scope[]
    }

/** What is asked of a new key. Times in milliseconds. */
export type KeyWish = {
  readonly account?: string
  readonly kind: KeyKind
  readonly label?: string
  readonly apps: readonly string[]
  readonly scopes: readonly Scope[]
  readonly origins: readonly string[]
  readonly addresses: readonly string[]
  /** From now on; absent: it does not expire. */
  readonly lifetime?: number
}

/** All of a key but what comes of its secret. */
export type KeyFacts = Omit<KeyRow, 'hash' | 'tag'>
/** `key` is shown once: it is not stored. */
export type ShownKey = { readonly key: string; readonly facts: KeyFacts }
export type Rotation = {
  /** Milliseconds for which the old key goes on. */
  readonly overlap: number
  /** Milliseconds that the new one lives; absent: as long as the old one was made for. */
  readonly lifetime?: number
}

export type StoredApp = Required<AppRow>

/**
 * What the command line and `/v1/admin` do, with one set of rules. All reject with `not_found` or `app_not_found` also for what
 * is beyond the actor's reach, and note what they do in the audit trail before they do it.
 */
export interface Admin {
  /** An account, and the operator, see their acts; newest first. */
  acts(actor: Actor, query: { readonly before?: string; readonly limit: number }): Promise<readonly ActRow[]>
  accounts(actor: Actor, page: PageQuery): Promise<readonly AccountRow[]>
  account(actor: Actor, id: string): Promise<AccountRow>
  /**
   * The operator's word only. `plan`: a name of `PARLEY_PLANS`, `none`, or `default`, which takes away what somebody gave.
   * Rejects with `invalid_value` for another.
   */
  setPlan(actor: Actor, id: string, plan: string): Promise<void>
  apps(actor: Actor, page: PageQuery): Promise<readonly StoredApp[]>
  app(actor: Actor, id: string): Promise<StoredApp>
  /** Rejects with `invalid_value`, which names every bad field, and `forbidden`. `account`: whose it is to be; the operator's word only. */
  putApp(actor: Actor, definition: unknown, account?: string): Promise<StoredApp>
  deleteApp(actor: Actor, id: string): Promise<void>
  keys(actor: Actor, page: PageQuery): Promise<readonly KeyFacts[]>
  createKey(actor: Actor, wish: KeyWish): Promise<ShownKey>
  rotateKey(actor: Actor, id: string, rotation: Rotation): Promise<ShownKey & { readonly oldUntil: number }>
  revokeKey(actor: Actor, id: string): Promise<void>
}

export type SessionsWish = {
  readonly app?: string
  readonly account?: string
  readonly user?: string
  readonly before?: SessionPlace
  readonly limit: number
}
export type UsageWish = { readonly app?: string; readonly account?: string; readonly from: number; readonly to: number }

/** Who comes to administer over HTTP. */
export interface AdminDoor {
  /** Of a proven key. Rejects with `forbidden` without the scope, `unauthorized` when the key is gone, `rate_limit_exceeded`. */
  enter(principal: Principal, address: string): Promise<Actor>
}

/** Conversations, as those see them who answer for them. */
export interface SessionAdmin {
  sessions(actor: Actor, wish: SessionsWish): Promise<readonly SessionRow[]>
  session(
    actor: Actor,
    id: string,
    page: { readonly before?: string; readonly limit: number },
  ): Promise<HistoryPage & { readonly session: SessionRow }>
  deleteSession(actor: Actor, id: string): Promise<void>
  /** As SessionExports, of one session. */
  exportSession(actor: Actor, id: string): Promise<AsyncGenerator<ExportLine, void, undefined>>
  usage(actor: Actor, wish: UsageWish): Promise<readonly UsageRow[]>
}
