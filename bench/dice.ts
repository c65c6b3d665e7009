const WORD = 2 ** 32

/** The same numbers at every run of a seed. Mulberry32. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / WORD
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  /** Waiting times of things that happen by themselves, so often a second on the average: in ms. */
  untilNext(perSecond: number): number {
    return (-Math.log(1 - this.next()) / perSecond) * 1000
  }

  /** For one of many who must not disturb each other's numbers. */
  fork(): Dice {
    return new Dice(Math.floor(this.next() * WORD))
  }
}
