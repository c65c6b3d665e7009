/** Waits for what others count: looked at again at each change, never by a sleep. */
export class Watch {
  readonly #waiting = new Set<() => void>()

  /** Something changed. */
  nudge(): void {
    for (const look of this.#waiting) look()
  }

  /** True once `holds`; false when it did not within `ms`. */
  until(holds: () => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (held: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(held)
      }
      const look = () => holds() && settle(true)
      const timer = setTimeout(() => settle(holds()), ms)
      this.#waiting.add(look)
      look()
    })
  }
}

/** What was seen so far, and what of it must not be. */
export class Tally {
  readonly watch = new Watch()
  readonly violations: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #say: (line: string) => void

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  count(what: string, by = 1): void {
    this.#counts.set(what, this.get(what) + by)
    this.watch.nudge()
  }

  get(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  all(): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }

  broken(what: string): void {
    this.violations.push(what)
    // At once: a fault that is long need not be waited for.
    this.#say(what)
    this.watch.nudge()
  }
}
