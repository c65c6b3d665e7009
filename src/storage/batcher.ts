import { setTimeout as sleep } from 'node:timers/promises'

/** Ids of one query. Keeps a storm of reconnects in statements of milliseconds. */
const MAX_BATCH = 500

type Caller<T> = { readonly resolve: (value: T | undefined) => void; readonly reject: (error: unknown) => void }

/**
 * Joins single look-ups: all that are asked for in one loop turn, or while a fetch is on, go with the next fetch. The same id
 * asked for twice is fetched once.
 */
export class Batcher<T> {
  readonly #fetch: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>
  readonly #restMs: number
  #waiting = new Map<string, Caller<T>[]>()
  #busy = false

  /** @param restMs milliseconds from the end of a fetch to the next: what comes in a flood goes together */
  constructor(fetch: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>, restMs = 0) {
    this.#fetch = fetch
    this.#restMs = restMs
  }

  /** Undefined when the fetch did not bring the id; rejects as the fetch does. */
  get(id: string): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const callers = this.#waiting.get(id)
      if (callers) callers.push({ resolve, reject })
      else this.#waiting.set(id, [{ resolve, reject }])
      if (this.#busy) return
      this.#busy = true
      setImmediate(() => void this.#run())
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const batch = this.#take()
      try {
        const found = await this.#fetch(batch.map(([id]) => id))
        for (const [id, callers] of batch) for (const { resolve } of callers) resolve(found.get(id))
      } catch (error) {
        for (const [, callers] of batch) for (const { reject } of callers) reject(error)
      }
      if (this.#restMs > 0) await sleep(this.#restMs)
    }
    this.#busy = false
  }

  /** A map that is emptied as fast as it is filled leaves a chain of old tables, which keep what they held: so the next is a new one. */
  #take(): readonly (readonly [string, Caller<T>[]])[] {
    const all = [...this.#waiting]
    this.#waiting = new Map(all.slice(MAX_BATCH))
    return all.slice(0, MAX_BATCH)
  }
}
