import type { MessageRow, PendingCall, RunRow } from '../../ports/store.ts'
import type { Pending } from '../../protocol/frames.ts'
import type { Core } from '../core.ts'
import type { History } from '../session/history.ts'
import type { ToolOutcome } from './tool-calls.ts'
import { type ResultOwner, resultRow } from './tool-round.ts'

/** What a model reads of a call that a person did not want. */
export const DECLINED: ToolOutcome = { content: 'The person declined this call; it was not made.', isError: true }
/** What it reads of a call that nobody had answered when the person wrote on. */
export const DECLINED_BY_MESSAGE: ToolOutcome = {
  content: 'Declined by a new message; it was not made.',
  isError: true,
}

/** Calls of an ended run that nobody has answered. */
export function unanswered(run: RunRow | undefined): readonly PendingCall[] {
  return run?.pending?.filter(({ approved }) => approved === undefined) ?? []
}

export function toWirePending(run: RunRow | undefined, now: number): Pending[] {
  if (run === undefined) return []
  return unanswered(run).map(({ toolCallId, toolName, kind, claim }) => ({
    toolCallId,
    toolName,
    runId: run.id,
    kind,
    ...(claim !== undefined && claim.until > now ? { claimed: true as const } : {}),
  }))
}

/** The ended run with other calls open, as this process writes it: whoever wrote it from the same copy is refused. */
export function taken(core: Core, run: RunRow, pending: readonly PendingCall[]): RunRow {
  return { ...keeping(run, pending), node: core.store.node, fence: run.fence + 1 }
}

/** The same, once it is this process's. */
export function keeping(run: RunRow, pending: readonly PendingCall[]): RunRow {
  const { pending: _before, ...rest } = run
  return pending.length === 0 ? rest : { ...rest, pending }
}

/** Makes rows of results to calls of a run that has ended, after those it has. */
export class ResultRows implements ResultOwner {
  readonly core: Core
  readonly sessionId: string
  readonly runId: string
  #next: number

  constructor(core: Core, { id, sessionId }: RunRow, history: History) {
    this.core = core
    this.sessionId = sessionId
    this.runId = id
    this.#next = Math.max(-1, ...history.runRows(id).map(({ index }) => index)) + 1
  }

  nextIndex(): number {
    return this.#next++
  }

  of(toolCallId: string, outcome: ToolOutcome): MessageRow {
    return resultRow(this, toolCallId, outcome)
  }
}

/** A run whose calls were answered: its row as it then is, and the results that are not stored yet. */
export type Answered = { readonly run: RunRow; readonly results: readonly MessageRow[] }

/** Gives every call that is still open the same outcome; undefined when there is none. */
export function closeAll(
  core: Core,
  run: RunRow | undefined,
  history: History,
  outcome: ToolOutcome,
): Answered | undefined {
  if (run?.pending === undefined) return undefined
  const rows = new ResultRows(core, run, history)
  return { run: taken(core, run, []), results: run.pending.map(({ toolCallId }) => rows.of(toolCallId, outcome)) }
}
