/**
 * Lets a stream through at a rate, with one timer at a time. Times are absolute: a late wake-up is caught up with, so the
 * rate holds however busy the process is.
 */
export class Pacer {
  readonly #signal: AbortSignal
  #due = performance.now()
  #timer: NodeJS.Timeout | undefined
  #reject: ((reason: unknown) => void) | undefined

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort)
  }

  /** Resolves `ms` after the time of the last call; rejects with the signal's reason when it aborts. */
  async wait(ms: number): Promise<void> {
    this.#signal.throwIfAborted()
    this.#due += ms
    const delay = this.#due - performance.now()
    if (delay > 0) await this.#until((resolve) => (this.#timer = setTimeout(resolve, delay)))
  }

  /** Lets the rest of the process have its turn. */
  async yield(): Promise<void> {
    this.#signal.throwIfAborted()
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.#signal.throwIfAborted()
  }

  /** Ends only by the signal. */
  async forever(): Promise<void> {
    this.#signal.throwIfAborted()
    await this.#until(() => undefined)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
  }

  async #until(start: (resolve: () => void) => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#reject = reject
      start(resolve)
    })
  }

  readonly #onAbort = (): void => {
    clearTimeout(this.#timer)
    this.#reject?.(this.#signal.reason)
  }
}
