import { MAX_BAD_FRAMES_PER_MINUTE } from '../../protocol/limits.ts'
import type { Core } from '../core.ts'

const MINUTE_MS = 60_000
const MS_PER_SECOND = 1000

type LimitsCore = Pick<Core, 'settings' | 'uptime'>

/** How much one connection may ask: a token bucket for commands and a count of bad frames. Plain numbers, no timers. */
export class FrameLimits {
  readonly #core: LimitsCore
  #tokens: number
  #tokensAt: number
  #badFrames = 0
  #badSince = 0

  constructor(core: LimitsCore) {
    this.#core = core
    this.#tokens = core.settings.commandBurst
    this.#tokensAt = core.uptime()
  }

  /** Milliseconds until a command may come; 0: it may. `cost`: the commands that it counts as. */
  take(cost = 1): number {
    const { commandsPerSecond, commandBurst } = this.#core.settings
    const time = this.#core.uptime()
    const earned = ((time - this.#tokensAt) / MS_PER_SECOND) * commandsPerSecond
    this.#tokens = Math.min(commandBurst, this.#tokens + earned)
    this.#tokensAt = time
    const wait = this.#tokens < 1 ? Math.ceil(((1 - this.#tokens) / commandsPerSecond) * MS_PER_SECOND) : 0
    // What is refused costs, too: a client that does not slow down gets into debt.
    this.#tokens -= cost
    return wait
  }

  /** It asked for as much again as it may, and was refused each time. */
  get flooding(): boolean {
    return this.#tokens < -this.#core.settings.commandBurst
  }

  /** Counts a bad frame; true when there were too many within a minute (P-12). */
  bad(): boolean {
    const time = this.#core.uptime()
    if (time - this.#badSince > MINUTE_MS) {
      this.#badSince = time
      this.#badFrames = 0
    }
    return ++this.#badFrames >= MAX_BAD_FRAMES_PER_MINUTE
  }
}
