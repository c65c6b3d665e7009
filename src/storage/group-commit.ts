import type { CommitOptions, SessionWrite } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { ParleyError } from '../protocol/errors.ts'
import { canMerge, type EncodedWrite, encodeWrite } from './encode.ts'
import { storeAway } from './faults.ts'
import { Flush, type FlushOptions } from './flush.ts'
import { Pending } from './pending.ts'

export type GroupCommitLimits = {
  /** Rows and characters of one statement. */
  readonly flushRows: number
  readonly flushBytes: number
  /** Bounded writes that may wait at once. Above, a new one is refused. */
  readonly queuedWrites: number
  readonly queuedBytes: number
  /** Milliseconds before a store that was away is tried again; doubles up to the second. */
  readonly retryMs: number
  readonly maxRetryMs: number
}

export const GROUP_COMMIT_LIMITS: GroupCommitLimits = {
  // About 50 ms of Postgres: what waits behind it is still quick, and a statement costs nothing per row by then.
  flushRows: 2000,
  flushBytes: 4 * 1024 * 1024,
  // A second of work at full speed: a storm of 10,000 clients that all send is served, a store that is away is soon noticed.
  queuedWrites: 10_000,
  queuedBytes: 32 * 1024 * 1024,
  retryMs: 50,
  maxRetryMs: 1000,
}

export type GroupCommitOptions = FlushOptions & {
  readonly node: string
  readonly telemetry: Telemetry
  readonly limits?: GroupCommitLimits
}

const MS_PER_SECOND = 1000

/** The write-through: one flush is on at a time, and all that arrives meanwhile goes with the next. */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #limits: GroupCommitLimits
  readonly #statements: Flush
  /** Neither settled nor part of a flush, in order of arrival. */
  #waiting: Pending[] = []
  /**
   * What the flush that is on took. With `#waiting` it is all that is not settled: a Set of that, emptied as fast as it is filled,
   * would leave a chain of old tables that keep what they held until the next full collection.
   */
  #taken: readonly Pending[] = []
  #boundedWrites = 0
  #boundedBytes = 0
  /** Flushes that failed in a row because the store was away. */
  #failures = 0
  #flushing = false
  /** While it is set, all that waits is what nobody waits for. */
  #gathering: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
    this.#limits = options.limits ?? GROUP_COMMIT_LIMITS
    this.#statements = new Flush(options)
    options.telemetry.gauge('store_queue', () => this.#live().length)
  }

  /** As SessionStore.commit. */
  async commit(write: SessionWrite, { giveUpAfterMs, patienceMs = 0 }: CommitOptions): Promise<void> {
    const encoded = this.#encode(write)
    const { queuedWrites, queuedBytes } = this.#limits
    const full = this.#boundedWrites >= queuedWrites || this.#boundedBytes + encoded.bytes > queuedBytes
    if (this.#closed || (giveUpAfterMs !== 'never' && full)) throw storeAway()
    const pending = this.#absorbing(encoded, giveUpAfterMs) ?? this.#enqueue(encoded, giveUpAfterMs)
    if (patienceMs > 0) this.#gather(patienceMs)
    else this.#hurry()
    return pending.done
  }

  /** The store is away or takes no writes: the last flush failed, and nothing has shown since that the next would not. */
  get failing(): boolean {
    return this.#failures > 0
  }

  /** Settles once every write of the session that was committed before has settled. */
  async settled(sessionId: string): Promise<void> {
    this.#hurry()
    await Promise.allSettled(
      this.#live()
        .filter((pending) => pending.sessionId === sessionId)
        .map(({ done }) => done),
    )
  }

  /** Refuses new writes, waits at most `ms` for those that are queued, and refuses what is left. */
  async close(ms: number): Promise<void> {
    this.#closed = true
    this.#hurry()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([Promise.allSettled(this.#live().map(({ done }) => done)), late])
    clearTimeout(timer)
    clearTimeout(this.#retry)
    for (const pending of this.#live()) pending.fail(storeAway())
  }

  #live(): readonly Pending[] {
    return [...this.#taken, ...this.#waiting].filter(({ settled }) => !settled)
  }

  #encode(write: SessionWrite): EncodedWrite {
    try {
      return encodeWrite(write, this.#options.node)
    } catch (cause) {
      throw new ParleyError('invalid_value', { cause })
    }
  }

  #enqueue(encoded: EncodedWrite, giveUpAfterMs: number | 'never'): Pending {
    const pending = new Pending(encoded, giveUpAfterMs)
    this.#waiting.push(pending)
    const [writes, bytes] = pending.bounded ? [1, encoded.bytes] : [0, 0]
    this.#boundedWrites += writes
    this.#boundedBytes += bytes
    const leave = () => {
      this.#boundedWrites -= writes
      this.#boundedBytes -= bytes
    }
    pending.done.then(leave, leave)
    return pending
  }

  /**
   * While the store is away, the checkpoints of an answer that goes on would pile up: a write that is never given up joins
   * the one before of its session.
   */
  #absorbing(encoded: EncodedWrite, giveUpAfterMs: number | 'never'): Pending | undefined {
    if (this.#failures === 0 || giveUpAfterMs !== 'never') return undefined
    const last = this.#waiting.findLast((pending) => pending.sessionId === encoded.sessionId)
    if (!last || last.bounded || last.settled || !canMerge(last.encoded, encoded)) return undefined
    last.absorb(encoded)
    return last
  }

  /** For a write that may wait: where nothing else does, so do all such. */
  #gather(ms: number): void {
    if (this.#waiting.length === 1 && !this.#flushing) this.#gathering ??= setTimeout(() => this.#hurry(), ms)
  }

  #hurry(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    this.#schedule()
  }

  #schedule(): void {
    if (this.#flushing || this.#retry || this.#gathering) return
    if (this.#waiting.length === 0 && (this.#failures === 0 || this.#closed)) return
    this.#flushing = true
    // After the sockets of this loop turn were read: what they brought goes together.
    setImmediate(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    const batch = this.#take()
    this.#taken = batch
    const left = batch.length === 0 ? [] : await this.#measured(batch)
    const took = batch.length === 0 ? await this.#recovered() : left.length === 0
    this.#taken = []
    this.#flushing = false
    this.#waiting = [...left, ...this.#waiting]
    this.#failures = took ? 0 : this.#failures + 1
    if (this.#failures > 0) this.#retryLater()
    else this.#schedule()
  }

  /** All that waited was given up: what a flush would have shown is asked for. */
  async #recovered(): Promise<boolean> {
    return this.#failures === 0 || this.#closed || (await this.#statements.takesWrites())
  }

  #retryLater(): void {
    const { retryMs, maxRetryMs } = this.#limits
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined
        this.#schedule()
      },
      Math.min(retryMs * 2 ** (this.#failures - 1), maxRetryMs),
    )
  }

  /** The next flush, in order of arrival; leaves a session's later writes behind one that did not fit. */
  #take(): Pending[] {
    const batch: Pending[] = []
    const rest: Pending[] = []
    const taken = new Map<string, EncodedWrite[]>()
    const blocked = new Set<string>()
    let [room, bytes] = [this.#statements.fit(this.#limits.flushRows), this.#limits.flushBytes]
    for (const pending of this.#waiting) {
      if (pending.settled) continue
      const { encoded, sessionId } = pending
      const earlier = taken.get(sessionId) ?? []
      const fits = batch.length === 0 || (encoded.rows <= room && encoded.bytes <= bytes)
      if (!fits || blocked.has(sessionId) || earlier.some((write) => !canMerge(write, encoded))) {
        blocked.add(sessionId)
        rest.push(pending)
        continue
      }
      taken.set(sessionId, [...earlier, encoded])
      batch.push(pending)
      // One that is too large for any flush goes with the first, and takes no room from the small ones: they would wait for all such.
      if (encoded.rows > room || encoded.bytes > bytes) continue
      room -= encoded.rows
      bytes -= encoded.bytes
    }
    this.#waiting = rest
    return batch
  }

  async #measured(batch: readonly Pending[]): Promise<readonly Pending[]> {
    const { telemetry } = this.#options
    const started = performance.now()
    const left = await this.#statements.write(batch)
    telemetry.observe('store_flush_seconds', (performance.now() - started) / MS_PER_SECOND)
    telemetry.observe('store_flush_writes', batch.length)
    return left
  }
}
