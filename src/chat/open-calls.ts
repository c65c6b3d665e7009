import type { MessageRow, PendingCall, RunRow } from '../ports/store.ts'
import type { Pending } from '../protocol/frames.ts'
import { toStorable } from '../protocol/text.ts'
import type { Core } from './core.ts'
import type { History } from './history.ts'
import type { ToolOutcome } from './tool-calls.ts'

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
  const { pending: _before, ...rest } = run
  return { ...keeping(rest, pending), node: core.store.node, fence: run.fence + 1 }
}

/** The same, once it is this process's. */
export function keeping(run: RunRow, pending: readonly PendingCall[]): RunRow {
  const { pending: _before, ...rest } = run
  return pending.length === 0 ? rest : { ...rest, pending }
}

/** Makes rows of results to calls of a run that has ended, after those it has. */
export class ResultRows {
  readonly #core: Core
  readonly #run: RunRow
  #index: number

  constructor(core: Core, run: RunRow, history: History) {
    this.#core = core
    this.#run = run
    this.#index = Math.max(-1, ...history.runRows(run.id).map(({ index }) => index)) + 1
  }

  of(toolCallId: string, { content, isError }: ToolOutcome): MessageRow {
    const index = this.#index++
    return {
      id: `${this.#run.id}-${index}`,
      sessionId: this.#run.sessionId,
      runId: this.#run.id,
      index,
      role: 'tool',
      content: toStorable(content),
      toolCallId,
      ...(isError ? { isError: true } : {}),
      createdAt: this.#core.now(),
    }
  }
}
