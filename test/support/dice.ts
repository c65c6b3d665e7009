/** The same numbers at every run of a seed: a failure can be looked at again. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A number in [0, 1). Mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  /** A number in [least, most). */
  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  /** Milliseconds to the next of things that happen by themselves, so often a second on the average. */
  untilNext(perSecond: number): number {
    return (-Math.log(1 - this.next()) / perSecond) * 1000
  }

  /** True in `share` of the throws. */
  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0]
  }

  /** Dice of their own for a part that others must not disturb. */
  fork(): Dice {
    return new Dice(Math.floor(this.next() * 2 ** 32))
  }
}
