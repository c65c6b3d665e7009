import type { Owner, SessionSummary } from './store.ts'

/** What HTTP does with sessions; the same rules and the same memory tier as the socket's commands. */
export interface SessionDirectory {
  /** Newest first; of an owner without account and user only those bound to `wallet`, an address: without it empty. `proven`: by a proof only. */
  list(
    owner: Owner,
    limit: number,
    before?: number,
    wallet?: string,
    proven?: boolean,
  ): Promise<readonly SessionSummary[]>
  /** Throws `session_not_found` for a missing and a foreign session alike. */
  rename(owner: Owner, sessionId: string, title: string): Promise<void>
  /** Stops its run, closes its connections (4404) and removes it from memory and store. Throws `session_not_found`. */
  delete(owner: Owner, sessionId: string): Promise<void>
}
