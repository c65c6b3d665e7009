import type { HistoryPage, MessageRow } from '../../ports/store.ts'
import { toPage, type WirePage } from './wire-messages.ts'

/** Bytes of a row beside its text: ids, times and the object itself. */
const ROW_OVERHEAD_BYTES = 250

/**
 * The newest part of a session's conversation, as committed. Leaves memory by bytes and idle time whenever no run is on;
 * is loaded again by the next one who needs it.
 */
export class History {
  #rows: MessageRow[]
  #hasMore: boolean
  #bytes: number

  constructor(page: HistoryPage) {
    this.#rows = [...page.messages]
    this.#hasMore = page.hasMore
    this.#bytes = this.#rows.reduce((sum, row) => sum + sizeOf(row), 0)
  }

  /** Oldest first. */
  get rows(): readonly MessageRow[] {
    return this.#rows
  }

  /** There are older messages in the store. */
  get hasMore(): boolean {
    return this.#hasMore
  }

  get bytes(): number {
    return this.#bytes
  }

  find(id: string): MessageRow | undefined {
    return this.#rows.find((row) => row.id === id)
  }

  runRows(runId: string): readonly MessageRow[] {
    return this.#rows.filter((row) => row.runId === runId)
  }

  /** What a person said that this run answers; of one that goes on from another, what that one answers. */
  questionOf(runId: string): MessageRow | undefined {
    const first = this.#rows.findIndex((row) => row.runId === runId)
    return this.#rows.slice(0, first + 1).findLast((row) => row.role === 'user')
  }

  /** Runs whose messages are here. */
  get runCount(): number {
    return new Set(this.#rows.map((row) => row.runId)).size
  }

  /** Adds rows of the newest run, or replaces those with the same ids. */
  put(rows: readonly MessageRow[]): void {
    for (const row of rows) {
      const index = this.#rows.findLastIndex((known) => known.id === row.id)
      const known = this.#rows[index]
      this.#bytes += sizeOf(row) - (known === undefined ? 0 : sizeOf(known))
      if (known === undefined) this.#rows.push(row)
      else this.#rows[index] = row
    }
  }

  holds(runId: string): boolean {
    return this.#rows.some((row) => row.runId === runId)
  }

  /** Takes the run and all after it out; gives the rows that left, oldest first. A run older than the window takes all of it. */
  removeFrom(runId: string): readonly MessageRow[] {
    const index = this.#rows.findIndex((row) => row.runId === runId)
    if (index < 0 && !this.#hasMore) return []
    const removed = this.#rows.splice(Math.max(0, index))
    this.#bytes -= removed.reduce((sum, row) => sum + sizeOf(row), 0)
    return removed
  }

  /** Lets the oldest whole runs go until the window's bounds hold again. */
  trim(maxBytes: number, maxMessages: number): void {
    while (this.#bytes > maxBytes || this.#rows.length > maxMessages) {
      const oldest = this.#rows[0]?.runId
      const next = this.#rows.findIndex((row) => row.runId !== oldest)
      if (next <= 0) return
      for (const row of this.#rows.splice(0, next)) this.#bytes -= sizeOf(row)
      this.#hasMore = true
    }
  }

  /** What a run has said so far, with whether anything is older. */
  runPage(runId: string): WirePage {
    return toPage(this.runRows(runId), this.#hasMore || this.#rows[0]?.runId !== runId)
  }

  /** The newest messages that fit one frame, but for those of the ids `without`, and with what a run has so far after them. */
  page(partial: readonly MessageRow[] = [], without: ReadonlySet<string> = new Set()): WirePage {
    const ids = new Set(partial.map((row) => row.id))
    const rows = this.#rows.filter(({ id }) => !ids.has(id) && !without.has(id))
    return toPage([...rows, ...partial], this.#hasMore)
  }
}

function sizeOf(row: MessageRow): number {
  const calls = row.toolCalls?.reduce((sum, call) => sum + call.arguments.length + call.name.length, 0) ?? 0
  return ROW_OVERHEAD_BYTES + row.content.length * (row.blocks === undefined ? 1 : 2) + calls
}
