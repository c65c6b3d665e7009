import { setTimeout as sleep } from 'node:timers/promises'

/** Ids of one query. Keeps a storm of reconnects in statements of milliseconds. */
const MAX_BATCH = 500

/** Milliseconds from the end of a fetch of at least `from` ids to the next: what comes in a flood goes together. */
export type Rest = { readonly ms: number; readonly from: number }
const NO_REST: Rest = { ms: 0, from: Number.POSITIVE_INFINITY }

type Caller<T> = { readonly resolve: (value: T | undefined) => void; readonly reject: (error: unknown) => void }

/**
 * Joins single look-ups: all that are asked for in one loop turn, or while a fetch is on, go with the next fetch. The same id
 * asked for twice is fetched once.
 */
export class Batcher<T> {
  readonly #fetch: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>
  readonly #rest: Rest
  #waiting = new Map<string, Caller<T>[]>()
  #busy = false

  constructor(fetch: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>, rest: Rest = NO_REST) {
    this.#fetch = fetch
    this.#rest = rest
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
      if (batch.length >= this.#rest.from) await sleep(this.#rest.ms)
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
