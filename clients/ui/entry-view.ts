import type { Entry, ToolEntry } from '../core/entries.ts'
import type { Outcome } from '../core/outcome.ts'

/** What shows one entry, for as long as the entry is there. */
export interface EntryView<E extends Entry = Entry> {
  readonly element: HTMLElement
  update(entry: E, context: EntryContext): void
  /** Opens what it shows for a change; absent where nothing can be changed. */
  startEdit?(): void
  /** The entry is gone. */
  leave?(): void
}

/** What an entry looks like depends on this, too. */
export type EntryContext = {
  /** A run is on: what starts another one has to wait. */
  readonly busy: boolean
  /** There is no connection, and none will be made by itself. */
  readonly refused: boolean
}

/** What can be done from an entry. */
export interface EntryActions {
  retry(runId: string): void
  /** A failure changes nothing: what was written is still the person's. */
  edit(messageId: string, text: string): Outcome
  /** What was being written in the place of a message that is gone is not lost. */
  keep(text: string): void
  /** Lets a tool's call be made, or not. */
  decide(call: ToolEntry, approved: boolean): void
  resend(messageId: string): void
  discard(messageId: string): void
  /** The text of these answers, one under another. */
  textOf(answerIds: readonly string[]): string
}
