import type { AuditStore } from './audit.ts'
import type { KeyRow } from './keys.ts'
import type { AppRow, SessionPlace, SessionRow } from './store.ts'

/** What of the store somebody may see: all of it, or what is of an account and of these Apps. */
export type Reach = { readonly account?: string; readonly apps?: readonly string[] }

/** A part of a list that goes on after (or, newest first, before) what `after` names. */
export type PageQuery = { readonly after?: string; readonly limit: number }

export type AccountRow = {
  readonly id: string
  /** The name of the plan that somebody gave it; absent: the server's default. */
  readonly plan?: string
  readonly createdAt: number
  /** That are its own. */
  readonly apps: number
  /** That are not revoked. */
  readonly keys: number
}

/** An account's put of an App by one of its keys. */
export type OwnPut = {
  readonly row: Required<AppRow>
  /** Opens the App afterwards. */
  readonly keyId: string
  /** Apps that an account may have. */
  readonly maxApps: number
}

/** `taken`: the App is another's, or the key does not open it. `full`: the account has as many as it may. */
export type PutOutcome = 'stored' | 'taken' | 'full'

export type SessionQuery = Reach & {
  readonly user?: string
  readonly before?: SessionPlace
  readonly limit: number
}

export type UsageQuery = Reach & {
  /** Milliseconds since 1970; `to` is not in it. */
  readonly from: number
  readonly to: number
  /** Rows. */
  readonly limit: number
}

/** Runs that were asked for on one day (UTC), and what they used as far as it is stored. */
export type UsageRow = {
  /** `2026-04-30`. */
  readonly day: string
  readonly account?: string
  readonly app: string
  readonly key?: string
  readonly runs: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedInputTokens: number
}

/** What administration reads of the store beside its other ports. Lists are in the order of ids where nothing else is said. */
export interface AdminStore extends AuditStore {
  listAccounts(query: PageQuery): Promise<readonly AccountRow[]>
  findAccount(id: string): Promise<AccountRow | undefined>
  pageApps(query: Reach & PageQuery): Promise<readonly Required<AppRow>[]>
  /** Atomic: two of an account cannot take more than it may, and an App never changes hands. */
  putOwnApp(put: OwnPut): Promise<PutOutcome>
  /** Keys that open no App beyond `apps`; of an account's keys those of the operator are none. */
  pageKeys(query: Reach & PageQuery): Promise<readonly KeyRow[]>
  /** Of one account: keys that are neither revoked nor expired at `now`. */
  countKeys(account: string, now: number): Promise<number>
  /** Newest first. */
  pageSessions(query: SessionQuery): Promise<readonly SessionRow[]>
  /** By day, account, App and key. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]>
}
