import type { MessageRow, RunRow, StoredToolCall } from '../../ports/store.ts'
import type { Core } from '../core.ts'
import type { History } from '../session/history.ts'
import type { OfferedTool } from './offered-tools.ts'
import { keeping, ResultRows } from './open-calls.ts'
import { STOPPED, type ToolOutcome } from './tool-calls.ts'
import { outcomeOfCall, type ToolHost } from './tool-round.ts'

/** What has to be stored of the run before. */
export type ApprovedChange = { readonly runs: readonly RunRow[]; readonly messages: readonly MessageRow[] }

/** The run that makes them. */
export type ApprovedHost = ToolHost & {
  /** Shows a result that is durable. */
  settledBefore(result: MessageRow): void
}

/**
 * Calls of the run before, which a person has approved: this run makes them first. Their results belong to that run, so each
 * is stored together with what is then still open of it.
 */
export class ApprovedCalls {
  readonly #rows: ResultRows
  readonly #calls: readonly StoredToolCall[]
  #run: RunRow
  /** Results that are on their way into the store, or there and not told yet. */
  readonly #settling = new Map<string, MessageRow>()

  constructor(core: Core, run: RunRow, history: History) {
    this.#run = run
    this.#rows = new ResultRows(core, run, history)
    const ids = new Set(run.pending?.map(({ toolCallId }) => toolCallId))
    this.#calls = history.runRows(run.id).flatMap(({ toolCalls = [] }) => toolCalls.filter(({ id }) => ids.has(id)))
  }

  /** Side by side. A result that is not told when the run's end is decided is its end's to tell. */
  async make(
    host: ApprovedHost,
    offered: readonly OfferedTool[],
    save: (change: ApprovedChange) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      this.#calls.map(async (call) => {
        const outcome = await outcomeOfCall(host, call, offered)
        if (host.ended) return
        const result = this.#answer(call.id, outcome)
        this.#settling.set(call.id, result)
        await save({ runs: [this.#run], messages: [result] })
        if (host.ended) return
        this.#settling.delete(call.id)
        host.settledBefore(result)
      }),
    )
  }

  /** What the end of the run has to store: a result for each call that has none yet. */
  stopped(): ApprovedChange {
    const open = this.#run.pending ?? []
    const messages = [...this.#settling.values(), ...open.map(({ toolCallId }) => this.#answer(toolCallId, STOPPED))]
    return { runs: messages.length === 0 ? [] : [this.#run], messages }
  }

  #answer(toolCallId: string, outcome: ToolOutcome): MessageRow {
    this.#run = keeping(this.#run, this.#run.pending?.filter((call) => call.toolCallId !== toolCallId) ?? [])
    return this.#rows.of(toolCallId, outcome)
  }
}
