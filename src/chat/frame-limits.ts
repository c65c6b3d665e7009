import { MAX_BAD_FRAMES_PER_MINUTE } from '../protocol/limits.ts'

const MINUTE_MS = 60_000
const MS_PER_SECOND = 1000

/** How much one connection may ask: a token bucket for commands and a count of bad frames. Plain numbers, no timers. */
export class FrameLimits {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #tokensAt: number
  #badFrames = 0
  #badSince = 0

  constructor(perSecond: number, burst: number, time: number) {
    this.#perSecond = perSecond
    this.#burst = this.#tokens = burst
    this.#tokensAt = time
  }

  /** Milliseconds until a command may come; 0: it may. `cost`: the commands that it counts as. */
  take(time: number, cost = 1): number {
    const earned = ((time - this.#tokensAt) / MS_PER_SECOND) * this.#perSecond
    this.#tokens = Math.min(this.#burst, this.#tokens + earned)
    this.#tokensAt = time
    const wait = this.#tokens < 1 ? Math.ceil(((1 - this.#tokens) / this.#perSecond) * MS_PER_SECOND) : 0
    // What is refused costs, too: a client that does not slow down gets into debt.
    this.#tokens -= cost
    return wait
  }

  /** It asked for as much again as it may, and was refused each time. */
  get flooding(): boolean {
    return this.#tokens < -this.#burst
  }

  /** Counts a bad frame; true when there were too many within a minute (P-12). */
  bad(time: number): boolean {
    if (time - this.#badSince > MINUTE_MS) {
      this.#badSince = time
      this.#badFrames = 0
    }
    return ++this.#badFrames >= MAX_BAD_FRAMES_PER_MINUTE
  }
}
