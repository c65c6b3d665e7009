import type { MessageRow, PendingCall, RunRow, SessionRow } from './store.ts'

/** Sessions for which all that is given holds; `null`: that have no account, no user. At least an App or a session is given. */
export type SessionFilter = {
  readonly app?: string
  readonly account?: string | null
  readonly user?: string | null
  readonly session?: string
}

/** Times as ISO 8601 in UTC. */
type Dated<T> = { readonly [K in keyof T]: K extends `${string}At` ? string : T[K] }

/** Of the lines; it rises when what they hold changes its meaning. */
export const EXPORT_FORMAT = 1

/**
 * One line of an export. A session is followed by its runs in their order (those that never started last), each run by its
 * messages in theirs. `end` says how many there were of each: a file without it is not whole.
 */
export type ExportLine =
  | ({ readonly type: 'session'; readonly format: typeof EXPORT_FORMAT } & Dated<SessionRow>)
  | ({
      readonly type: 'run'
      readonly superseded?: true
      readonly pending?: readonly Omit<PendingCall, 'claim'>[]
    } & Dated<Omit<RunRow, 'node' | 'fence' | 'pending'>>)
  | ({ readonly type: 'message' } & Dated<Omit<MessageRow, 'blocks'>>)
  | { readonly type: 'end'; readonly sessions: number; readonly runs: number; readonly messages: number }

export interface SessionExports {
  /** The sessions of the filter with everything in them, as they were in one moment. Whoever leaves the loop ends the reading. */
  exportSessions(filter: SessionFilter): AsyncGenerator<ExportLine, void, undefined>
}

/** What an operator asks of conversations. Methods reject with ParleyError `store_unavailable` when the store is away. */
export interface PrivacyStore extends SessionExports {
  /** Newest first. */
  listSessions(filter: SessionFilter, limit: number): Promise<readonly SessionRow[]>
  /** Sessions of the App that nobody wrote to since (milliseconds since 1970). */
  countUntouched(app: string, since: number): Promise<number>
  /** Removes them one by one, each as `SessionStore.delete`, until none is left or `signal` says stop. Resolves with how many. */
  removeUntouched(app: string, since: number, signal?: AbortSignal): Promise<number>
  /** Runs `work` as the only process of this store; undefined: another one is at it. */
  alone<T>(work: () => Promise<T>): Promise<T | undefined>
}
