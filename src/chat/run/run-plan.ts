import type { App } from '../../ports/apps.ts'
import type { SessionLog } from '../../ports/event-log.ts'
import type { MessageRow, RunRow, SessionRow, SessionWrite } from '../../ports/store.ts'
import type { ApprovedCalls } from '../calls/approved-calls.ts'
import type { Core } from '../core.ts'
import type { History } from '../session/history.ts'

/** What a run is made of: its rows, and the App as it was when the run started. */
export type RunPlan = {
  readonly row: RunRow
  /** Absent in a run that goes on from the one before, whose calls were answered. */
  readonly userMessage?: MessageRow
  /** Results of calls of the run before, stored already, that clients are told of first. */
  readonly results: readonly MessageRow[]
  /** Calls of the run before that are still to be made. */
  readonly approved?: ApprovedCalls
  readonly app: App
  /** The first message that this run takes out of history, when it is a retry or an edit. */
  readonly rewindFrom?: string
  /** Gives back its place among the concurrent runs. */
  readonly release?: () => void
}

/** Fences that one run may use up, by changing hands. */
const FENCES_OF_A_RUN = 2 ** 20

/** What its appends to the log are held against: above those of the runs before it, and of the processes that had it before. */
export function logFence({ position = 0, fence }: RunRow): number {
  return position * FENCES_OF_A_RUN + fence
}

/** A part of a write; the session's id is added. */
export type SessionChange = Omit<SessionWrite, 'sessionId' | 'session'>

/** What a run needs of its session. */
export interface RunHost {
  readonly core: Core
  readonly id: string
  readonly log: SessionLog
  readonly row: SessionRow
  readonly pinnedHistory: History
  /** Who is at the head of its log. */
  readonly audience: { readonly size: number }
  save(change: SessionChange, giveUpAfterMs: number | 'never', patienceMs?: number): Promise<void>
}
