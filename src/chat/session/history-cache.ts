import { LRUCache } from 'lru-cache'
import type { History } from './history.ts'

/** Histories of sessions without a run, least recently used first out, by bytes and idle time. A run pins its own outside. */
export class HistoryCache {
  readonly #cache: LRUCache<string, History>

  constructor(maxBytes: number, idleMs: number, now: () => number) {
    this.#cache = new LRUCache({
      maxSize: maxBytes,
      ttl: idleMs,
      perf: { now },
      updateAgeOnGet: true,
      sizeCalculation: (history) => Math.max(1, history.bytes),
    })
  }

  get bytes(): number {
    return this.#cache.calculatedSize
  }

  get(sessionId: string): History | undefined {
    return this.#cache.get(sessionId)
  }

  put(sessionId: string, history: History): void {
    // A history grows in place, and the cache measures only what is new to it.
    this.#cache.delete(sessionId)
    this.#cache.set(sessionId, history)
  }

  /** Measures a history that grew, where it is still the one that is kept. */
  grew(sessionId: string, history: History): void {
    if (this.#cache.peek(sessionId) === history) this.put(sessionId, history)
  }

  remove(sessionId: string): void {
    this.#cache.delete(sessionId)
  }

  /** Lets go of what was idle too long. */
  sweep(): void {
    this.#cache.purgeStale()
  }
}
