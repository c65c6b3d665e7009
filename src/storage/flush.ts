import { ParleyError } from '../protocol/errors.ts'
import { type EncodedWrite, mergeWrites } from './encode.ts'
import { type StoreFault, toFault, toStoreError } from './faults.ts'
import type { UseHealth } from './health.ts'
import type { Pending } from './pending.ts'

export type FlushOptions = {
  /** Writes of distinct sessions in one statement; resolves with the sessions that a fence refused, rejects with a StoreFault. */
  readonly apply: (writes: readonly EncodedWrite[]) => Promise<readonly string[]>
  /** Resolves when the store would take a write. */
  readonly probe: () => Promise<void>
  readonly health: UseHealth
}

/** Halvings of a flush that make it one row whatever the limit is. */
const MAX_SHRINK = 16

/** Brings a batch to the store and settles every write whose fate is known. */
export class Flush {
  readonly #options: FlushOptions
  #shrink = 0

  constructor(options: FlushOptions) {
    this.#options = options
  }

  /** `rows`, less after batches that took too long: the store may be slow rather than away. */
  fit(rows: number): number {
    return Math.max(1, rows >> this.#shrink)
  }

  /** Gives back, in order, what the store did not take because it is away; it may have, and may be given to it again. */
  async write(batch: readonly Pending[]): Promise<readonly Pending[]> {
    const open = batch.filter((pending) => !pending.settled)
    if (open.length === 0) return []
    const { apply, health } = this.#options
    try {
      const refused = new Set(await apply(mergeBySession(open)))
      health.answered()
      this.#shrink = Math.max(0, this.#shrink - 1)
      return await this.#settle(open, refused)
    } catch (thrown) {
      const fault = toFault(thrown)
      health.failed(fault)
      return this.#recover(open, fault)
    }
  }

  /** Whether the store takes writes again, asked where none waits that would show it. */
  async takesWrites(): Promise<boolean> {
    const { probe, health } = this.#options
    try {
      await probe()
      health.answered()
      return true
    } catch (thrown) {
      health.failed(toFault(thrown))
      return false
    }
  }

  async #settle(batch: readonly Pending[], refused: ReadonlySet<string>): Promise<readonly Pending[]> {
    for (const pending of batch) if (!refused.has(pending.sessionId)) pending.succeed()
    const stopped = batch.filter((pending) => refused.has(pending.sessionId))
    const alone = stopped.filter(
      ({ sessionId }) => stopped.filter((other) => other.sessionId === sessionId).length === 1,
    )
    for (const pending of alone) pending.fail(new ParleyError('conflict'))
    // Writes of one session that went together: only those whose own fence is too low are refused.
    return this.#oneByOne(stopped.filter((pending) => !pending.settled))
  }

  async #oneByOne(batch: readonly Pending[]): Promise<readonly Pending[]> {
    for (const [index, pending] of batch.entries()) {
      const left = await this.write([pending])
      if (left.length > 0) return batch.slice(index)
    }
    return []
  }

  /** The guilty write fails alone: halves are tried until it is found. */
  async #recover(batch: readonly Pending[], fault: StoreFault): Promise<readonly Pending[]> {
    if (fault.kind === 'timeout') this.#shrink = Math.min(MAX_SHRINK, this.#shrink + 1)
    if (fault.kind === 'timeout' || fault.kind === 'away') return batch
    if (batch.length === 1) {
      for (const pending of batch) pending.fail(toStoreError(fault))
      return []
    }
    const middle = batch.length >> 1
    const left = await this.write(batch.slice(0, middle))
    return left.length > 0 ? [...left, ...batch.slice(middle)] : this.write(batch.slice(middle))
  }
}

function mergeBySession(batch: readonly Pending[]): readonly EncodedWrite[] {
  const merged = new Map<string, EncodedWrite>()
  for (const { sessionId, encoded } of batch) {
    const earlier = merged.get(sessionId)
    merged.set(sessionId, earlier ? mergeWrites(earlier, encoded) : encoded)
  }
  return [...merged.values()]
}
