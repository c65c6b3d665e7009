/** The account of keys and Apps when nobody names one: a server of one owner needs no more. */
export const DEFAULT_ACCOUNT = 'default'
/** In the place of a plan's name: no plan limits the account. */
export const NO_PLAN = 'none'

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

/** Accounts come to be with their first key or App. */
export interface AccountStore {
  /** The plan that somebody gave the account; undefined also when there is no such account. */
  planOf(account: string): Promise<string | undefined>
  /** `undefined` takes its plan away again. False when there is no such account. Servers hear of it within a second. */
  setPlan(account: string, plan: string | undefined): Promise<boolean>
}
