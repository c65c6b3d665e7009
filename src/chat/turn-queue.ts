/** Milliseconds of a loop turn that go to what can wait: every other client's token may have to wait for all of it. */
const TURN_MS = 4
/**
 * UTF-16 units that a turn hands to sockets, counted once for each: about as much as the kernel takes in TURN_MS. A clock does not
 * see what a transport only puts aside to be written at the turn's end.
 */
const TURN_UNITS = 2 * 1024 * 1024

/**
 * Work that is cut into pieces, so that many clients who want much at once do not hold up all others: each loop turn does pieces
 * for a bounded time and to a bounded amount, in the order in which they came.
 */
export class TurnQueue {
  #pieces: (() => void)[] = []
  #scheduled = false
  /** When this turn has had its time. */
  #until = 0
  /** What this turn may still hand over; the last piece may go beyond it. */
  #left = 0

  /** A piece is short and does not throw. */
  add(piece: () => void): void {
    this.#pieces.push(piece)
    this.#schedule()
  }

  /** As `add`; at once where nothing waits and this turn has something left. */
  run(piece: () => void): void {
    // Without a turn to come nothing was done in this one.
    if (!this.#scheduled) this.#begin()
    const free = this.#pieces.length === 0 && this.#hasLeft
    this.#schedule()
    if (free) piece()
    else this.add(piece)
  }

  /** Called by a piece that gave a transport so many units to write, once for each socket. */
  spend(units: number): void {
    this.#left -= units
  }

  get #hasLeft(): boolean {
    return this.#left > 0 && performance.now() <= this.#until
  }

  #begin(): void {
    this.#until = performance.now() + TURN_MS
    this.#left = TURN_UNITS
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#begin()
    // What a piece adds has its time in a later turn.
    const pieces = this.#pieces
    this.#pieces = []
    let done = 0
    while (done < pieces.length && (done === 0 || this.#hasLeft)) pieces[done++]?.()
    if (done < pieces.length) this.#pieces = [...pieces.slice(done), ...this.#pieces]
    this.#scheduled = false
    if (this.#pieces.length > 0) this.#schedule()
  }
}
