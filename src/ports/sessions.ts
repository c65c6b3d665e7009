import type { Owner, SessionChoice, SessionSummary } from './store.ts'

/** Whose the sessions are that somebody makes in `app`; of a session's row, whose it is. */
export function ownerOf({ account, user }: Pick<Owner, 'account' | 'user'>, app: string): Owner {
  return { app, ...(account === undefined ? {} : { account }), ...(user === undefined ? {} : { user }) }
}

export function isSameOwner(one: Owner, other: Owner): boolean {
  return one.app === other.app && one.account === other.account && one.user === other.user
}

/** The sessions of one user of an account in an App. */
export type UserOwner = Owner & { readonly user: string }
export type UserDeletion = { readonly deleted: number; readonly complete: boolean }
/** Deleted by one request: a minute's work of a small server, and far more than a person has. */
export const MAX_USER_SESSIONS = 10_000

/** What HTTP does with sessions; the same rules and the same memory tier as the socket's commands. */
export interface SessionDirectory {
  /** Newest first; of an owner without account and user only those bound to a wallet: without one empty. */
  list(owner: Owner, limit: number, which?: SessionChoice): Promise<readonly SessionSummary[]>
  /** Throws `session_not_found` for a missing and a foreign session alike. */
  rename(owner: Owner, sessionId: string, title: string): Promise<void>
  /** Stops its run, closes its connections (4404) and removes it from memory and store. Throws `session_not_found`. */
  delete(owner: Owner, sessionId: string): Promise<void>
  /** The same, as long as nobody sent anything to it, in whichever process; else nothing. */
  deleteEmpty(owner: Owner, sessionId: string): Promise<void>
  /**
   * Deletes every session of this user, as `delete` does. At most MAX_USER_SESSIONS in one go: `complete` says whether more are
   * left. A session that comes to be meanwhile is deleted, or is a new one.
   */
  deleteUser(owner: UserOwner): Promise<UserDeletion>
}
