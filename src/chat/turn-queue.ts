/** Milliseconds of a loop turn that go to what can wait: a person does not notice so short a delay of a token. */
const TURN_MS = 10

/**
 * Work that is cut into pieces, so that many clients who want much at once do not hold up all others: each loop turn does pieces
 * for a bounded time, in the order in which they came.
 */
export class TurnQueue {
  #pieces: (() => void)[] = []
  #scheduled = false

  /** A piece is short and does not throw. */
  add(piece: () => void): void {
    this.#pieces.push(piece)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#scheduled = false
    const end = performance.now() + TURN_MS
    // What a piece adds has its time in a later turn.
    const pieces = this.#pieces
    this.#pieces = []
    let done = 0
    while (done < pieces.length && performance.now() <= end) pieces[done++]?.()
    if (done < pieces.length) this.#pieces = [...pieces.slice(done), ...this.#pieces]
    if (this.#pieces.length > 0) this.#schedule()
  }
}
