import type { LogEntry } from '../../ports/event-log.ts'
import { encodeAliasEvent } from '../../protocol/aliases.ts'

/** Picks the events of some runs out of a session's log, read in order from a place that is set once in a while. */
export class RunFilter {
  /** Runs that are asked for and whose end was not told. */
  readonly wanted = new Set<string>()
  /** The run that the log is in, at the place that is read next. */
  inside: string | undefined
  /** Sequence number of the last end that was told. */
  #endAt = 0

  /** One entry as a frame; undefined: of a run that was not asked for. */
  encode(epoch: string, { last, event }: LogEntry): string | undefined {
    if (event.type === 'RUN_STARTED') this.inside = event.runId
    const runId = this.inside
    if (runId === undefined) return undefined
    const isEnd = event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR'
    if (isEnd && this.wanted.delete(runId)) this.#endAt = last
    // An entry comes again when the socket did not take its frame.
    return this.wanted.has(runId) || this.#endAt === last ? encodeAliasEvent(epoch, last, event, runId) : undefined
  }
}
