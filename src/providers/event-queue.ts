type Waiting<T> = {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (reason: unknown) => void
}
type End = { readonly error?: unknown }

const DONE = { value: undefined, done: true } as const
const NO_EVENTS: never[] = []
/** What is chained to it runs when the turn is over. Node's `queueMicrotask` makes an object to trace for each call. */
const TURN_OVER = Promise.resolve()

/**
 * Between a callback that makes events and one loop that reads them: the hand-made half of an async iterator. What is pushed in
 * one turn is handed over together, after it: what one read of a socket brings, in however many chunks its sender wrote it.
 * An async generator and a promise for each event cost 3 to 5 µs a token more. `next` is called again only when the promise of
 * the last call has settled.
 */
export class EventQueue<T> {
  readonly #onEmpty: () => void
  #events: T[] = NO_EVENTS
  #waiting: Waiting<readonly T[]> | undefined
  #end: End | undefined

  /** @param onEmpty called when the reader has caught up */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty
  }

  get empty(): boolean {
    return this.#events.length === 0
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  push(event: T): void {
    if (this.#end !== undefined) return
    if (this.#events.length > 0) return void this.#events.push(event)
    // Mostly one comes, and an array that is pushed to makes room for seventeen.
    this.#events = [event]
    if (this.#waiting !== undefined) void TURN_OVER.then(this.#deliver)
  }

  readonly #deliver = (): void => {
    const waiting = this.#waiting
    if (waiting === undefined || this.#events.length === 0) return
    this.#waiting = undefined
    waiting.resolve({ value: this.#take(), done: false })
  }

  /** The end, after the events that wait; the first one counts. With an `error`, the reader's next call rejects with it. */
  end(end: End): void {
    if (this.#end !== undefined) return
    this.#deliver()
    this.#end = end
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) return
    if ('error' in end) waiting.reject(this.#takeError(end))
    else waiting.resolve(DONE)
  }

  /** Forgets the events that wait. */
  clear(): void {
    this.#events = NO_EVENTS
  }

  next(): Promise<IteratorResult<readonly T[], undefined>> {
    if (this.#events.length === 0) return this.#wait()
    return Promise.resolve({ value: this.#take(), done: false })
  }

  #take(): readonly T[] {
    const events = this.#events
    this.#events = NO_EVENTS
    this.#onEmpty()
    return events
  }

  #wait(): Promise<IteratorResult<readonly T[], undefined>> {
    const end = this.#end
    if (end === undefined) return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
    return 'error' in end ? Promise.reject(this.#takeError(end)) : Promise.resolve(DONE)
  }

  /** An iterator throws once; after that it is done. */
  #takeError(end: End): unknown {
    this.#end = {}
    return end.error
  }
}
