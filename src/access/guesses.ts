import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { ParleyError } from '../protocol/errors.ts'

const SECONDS_PER_MINUTE = 60
/** Milliseconds: about ten hashes later. */
const SHED_RETRY_MS = 250

export type GuessLimits = {
  /** Wrong secrets a minute per key id and address before nothing is hashed any more. */
  readonly guessesPerMinute: number
  /** Hashes in flight; more are shed, because each takes a core for 24 ms and 19 MiB. */
  readonly hashesAtOnce: number
}

/** Keeps slow hashes from being a way to take the server down, and secrets from being tried out. */
export class Guesses {
  readonly #limit: number
  readonly #failures: RateLimiterMemory
  #hashing = 0

  constructor({ guessesPerMinute, hashesAtOnce }: GuessLimits) {
    this.#limit = hashesAtOnce
    // Its entries are bounded by what can be hashed in a minute: a place is taken only with a hash.
    this.#failures = new RateLimiterMemory({ points: guessesPerMinute, duration: SECONDS_PER_MINUTE })
  }

  /**
   * Runs `prove` if there is room: throws `overloaded` when too many hashes are in flight, `rate_limit_exceeded` when
   * this key was guessed too often from this address.
   */
  async attempt(keyId: string, address: string, prove: () => Promise<boolean>): Promise<boolean> {
    if (this.#hashing >= this.#limit) throw new ParleyError('overloaded', { retryAfterMs: SHED_RETRY_MS })
    this.#hashing++
    try {
      const place = `${keyId} ${address}`
      await this.#take(place)
      const proven = await prove()
      if (proven) await this.#failures.reward(place)
      return proven
    } finally {
      this.#hashing--
    }
  }

  /** Counted as a failure before it is one, so that guesses at the same time are all counted. */
  async #take(place: string): Promise<void> {
    try {
      await this.#failures.consume(place)
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal
      throw new ParleyError('rate_limit_exceeded', { retryAfterMs: refusal.msBeforeNext })
    }
  }
}
