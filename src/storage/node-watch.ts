/** Milliseconds that a process which lost its connection gets to hold its lock again. That takes some twenty. */
const RETAKE_MS = 500
/** Milliseconds for all others after this one's own return: a try to connect without an answer (3 s), and the pauses before it and the next. */
const RETURN_MS = 5000
/** Of a lock that is not free. */
const HELD = Number.POSITIVE_INFINITY

/**
 * Which processes live, going by their locks (node-lock.ts). A free lock says so only if it stays free: it also is when its
 * connection was lost, and all are when the server restarts. So who was seen to hold one gets the time to take it again. Who
 * never was died before this process began, and is dead at once.
 */
export class NodeWatch {
  /** Those seen to hold their lock, with when it was first seen free. */
  readonly #freeSince = new Map<string, number>()
  /** By the uptime; until then nobody is taken for dead. */
  #doubtUntil = Number.NEGATIVE_INFINITY

  /** This process begins at a server that started so many milliseconds ago: others may have to come back to that one. */
  begin(serverUpMs: number): void {
    this.#doubtUntil = performance.now() + RETURN_MS - serverUpMs
  }

  /** This process lost its own lock, and so may have all others. */
  lost(): void {
    this.#doubtUntil = Number.POSITIVE_INFINITY
  }

  /** It holds it, for the first time or again. */
  back(): void {
    if (this.#doubtUntil === Number.POSITIVE_INFINITY) this.#doubtUntil = performance.now() + RETURN_MS
  }

  /** Who holds a lock now. */
  saw(held: readonly string[]): void {
    for (const node of this.#freeSince.keys()) this.isAlive(node, false)
    for (const node of held) this.#freeSince.set(node, HELD)
  }

  /** As of a look at its lock that was just made. */
  isAlive(node: string, isHeld: boolean): boolean {
    if (isHeld) {
      this.#freeSince.set(node, HELD)
      return true
    }
    const now = performance.now()
    if (now < this.#doubtUntil) return true
    const since = this.#freeSince.get(node)
    if (since === undefined) return false
    if (since === HELD) this.#freeSince.set(node, now)
    else if (now - since >= RETAKE_MS) this.#freeSince.delete(node)
    return this.#freeSince.has(node)
  }
}
