import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'

/** Ids of one query. Keeps a storm of reconnects in statements of milliseconds. */
const MAX_BATCH = 500

/** A fetch of at least `from` ids is a storm: until `lastsMs` after it began, who asks first waits `gatherMs` for others. */
export type Storm = { readonly from: number; readonly gatherMs: number; readonly lastsMs: number }
const NO_STORM: Storm = { from: Number.POSITIVE_INFINITY, gatherMs: 0, lastsMs: 0 }

type Batch<T> = { readonly ids: Set<string>; readonly found: Promise<ReadonlyMap<string, T>> }

/**
 * Joins single look-ups: all that are asked for in one loop turn, or while a fetch is on, go with the next fetch. The same id
 * asked for twice is fetched once.
 */
export class Batcher<T> {
  readonly #fetch: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>
  readonly #storm: Storm
  #stormEndsAt = 0
  /** The one that still takes ids. */
  #open: Batch<T> | undefined
  /** Resolves when the newest batch was answered; keeps nothing of the answer. */
  #turn: Promise<void> = Promise.resolve()

  constructor(fetch: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>, storm: Storm = NO_STORM) {
    this.#fetch = fetch
    this.#storm = storm
  }

  /** Undefined when the fetch did not bring the id; rejects as the fetch does. */
  get(id: string): Promise<T | undefined> {
    if (this.#open === undefined || this.#open.ids.size >= MAX_BATCH) this.#open = this.#begin()
    this.#open.ids.add(id)
    return this.#open.found.then((all) => all.get(id))
  }

  #begin(): Batch<T> {
    const ids = new Set<string>()
    const found = this.#fetchInTurn(ids, this.#turn)
    this.#turn = found.then(noop, noop)
    return { ids, found }
  }

  async #fetchInTurn(ids: ReadonlySet<string>, turn: Promise<void>): Promise<ReadonlyMap<string, T>> {
    await turn
    const { from, gatherMs, lastsMs } = this.#storm
    await (performance.now() < this.#stormEndsAt ? sleep(gatherMs) : nextTurn())
    if (this.#open?.ids === ids) this.#open = undefined
    if (ids.size >= from) this.#stormEndsAt = performance.now() + lastsMs
    return this.#fetch([...ids])
  }
}

function noop(): void {}
