/** How much an account may do: what starts an answer or changes something counts, what only reads does not. */
export type Plan = { readonly perHour: number; readonly perMinute: number }

/** Where it stands in the window that would refuse it first. */
export type Standing = {
  readonly name: 'minute' | 'hour'
  readonly limit: number
  readonly remaining: number
  /** Milliseconds until the window begins anew. */
  readonly resetMs: number
}

export type AccountRow = {
  readonly id: string
  /** The name of the plan that somebody gave it; absent: the server's default. */
  readonly plan?: string
  /** Keys of it, also those that are gone. */
  readonly keys: number
  readonly createdAt: number
}

/** Accounts come to be with their first key. */
export interface AccountStore {
  /** The plan that somebody gave the account; undefined also when there is no such account. */
  planOf(account: string): Promise<string | undefined>
  listAccounts(): Promise<readonly AccountRow[]>
  /** `undefined` takes its plan away again. False when there is no such account. Servers hear of it within a second. */
  setPlan(account: string, plan: string | undefined): Promise<boolean>
}
