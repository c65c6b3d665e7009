/** Who is told of changes. */
export class Listeners {
  readonly #listeners = new Set<() => void>()

  /** Gives the way to stop. */
  add(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What one throws is the page's own fault and is reported as such; it stops neither the others nor the caller. */
  call(): void {
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch (thrown) {
        queueMicrotask(() => {
          throw thrown
        })
      }
    }
  }
}
