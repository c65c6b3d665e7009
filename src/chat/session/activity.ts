import type { MessageRow, RunRow } from '../../ports/store.ts'
import type { Run } from '../run/run.ts'
import type { History } from './history.ts'

/** A send that waits for the active run to end. */
export type QueuedSend = { readonly run: RunRow; readonly message: MessageRow }

export function isQueued({ queue }: { readonly queue: readonly QueuedSend[] }, runId: string): boolean {
  return queue.some(({ run }) => run.id === runId)
}

/** One for all sessions at rest. */
export const NOTHING_QUEUED: readonly QueuedSend[] = []

/** A run that another living process has on. `history` is the store's, with what was checkpointed of the answer. */
export type Elsewhere = {
  readonly kind: 'elsewhere'
  readonly runId: string
  readonly node: string
  readonly history: History
}

/**
 * What is going on. `running`: a run holds the history pinned. `saving`: its end was told as `store_unavailable`, the text
 * waits for the store and sends are refused until it is saved. `elsewhere`: the run is another process's; this one follows it
 * in the store.
 */
export type Activity =
  | { readonly kind: 'none' }
  | { readonly kind: 'running'; readonly run: Run; readonly history: History }
  | { readonly kind: 'saving'; readonly history: History }
  | Elsewhere

export const NOTHING: Activity = { kind: 'none' }
