import type { MessageRow, RunRow, StoredToolCall } from '../ports/store.ts'
import type { Core } from './core.ts'
import type { History } from './history.ts'
import type { OfferedTool } from './offered-tools.ts'
import { keeping, ResultRows } from './open-calls.ts'
import { STOPPED, type ToolOutcome } from './tool-calls.ts'
import { outcomeOfCall, type ToolHost } from './tool-round.ts'

/** What has to be stored of the run before. */
export type ApprovedChange = { readonly runs: readonly RunRow[]; readonly messages: readonly MessageRow[] }

/**
 * Calls of the run before, which a person has approved: this run makes them first. Their results belong to that run, so each
 * is stored together with what is then still open of it.
 */
export class ApprovedCalls {
  readonly #rows: ResultRows
  readonly #calls: readonly StoredToolCall[]
  #run: RunRow
  /** Results that are on their way into the store. */
  readonly #settling = new Map<string, MessageRow>()

  constructor(core: Core, run: RunRow, history: History) {
    this.#run = run
    this.#rows = new ResultRows(core, run, history)
    const ids = new Set(run.pending?.map(({ toolCallId }) => toolCallId))
    this.#calls = history.runRows(run.id).flatMap(({ toolCalls = [] }) => toolCalls.filter(({ id }) => ids.has(id)))
  }

  /** Side by side. `settle` makes a change durable and shows its result. */
  async make(
    host: ToolHost,
    offered: readonly OfferedTool[],
    settle: (change: ApprovedChange, result: MessageRow) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      this.#calls.map(async (call) => {
        const outcome = await outcomeOfCall(host, call, offered)
        if (host.ended) return
        const result = this.#answer(call.id, outcome)
        this.#settling.set(call.id, result)
        await settle({ runs: [this.#run], messages: [result] }, result)
        this.#settling.delete(call.id)
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
