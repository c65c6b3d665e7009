import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { ParleyError } from '../protocol/errors.ts'

const SECONDS_PER_MINUTE = 60
/** Milliseconds: about ten hashes later. */
const SHED_RETRY_MS = 250
/** Key ids that may wait for a hash: 0.4 s at two hashes of 24 ms at once, within what a handshake may take. */
const MAX_WAITING = 32

export type GuessLimits = {
  /** Wrong secrets a minute per key id and address before nothing is hashed any more. */
  readonly guessesPerMinute: number
  /** Hashes in flight, because each takes a core for 24 ms and 19 MiB; a few more wait, the rest is shed. */
  readonly hashesAtOnce: number
}

/**
 * Keeps slow hashes from being a way to take the server down, and secrets from being tried out. A key id has one place, in
 * flight or in line: guesses at one key, from however many addresses, leave the owners of all others their turn.
 */
export class Guesses {
  readonly #limit: number
  readonly #failures: RateLimiterMemory
  readonly #placed = new Set<string>()
  readonly #line: (() => void)[] = []
  #hashing = 0

  constructor({ guessesPerMinute, hashesAtOnce }: GuessLimits) {
    this.#limit = hashesAtOnce
    // Its entries are bounded by what can be hashed in a minute: a place is taken only with a hash.
    this.#failures = new RateLimiterMemory({ points: guessesPerMinute, duration: SECONDS_PER_MINUTE })
  }

  /**
   * Runs `prove` in its turn: throws `overloaded` when this key is being proven already with another secret or the line is
   * full, `rate_limit_exceeded` when this key was guessed too often from this address.
   */
  async attempt(keyId: string, address: string, prove: () => Promise<boolean>): Promise<boolean> {
    if (this.#placed.has(keyId) || this.#placed.size >= this.#limit + MAX_WAITING)
      throw new ParleyError('overloaded', { retryAfterMs: SHED_RETRY_MS })
    this.#placed.add(keyId)
    try {
      const place = `${keyId} ${address}`
      await this.#take(place)
      const proven = await this.#inTurn(prove)
      if (proven) await this.#failures.reward(place)
      return proven
    } finally {
      this.#placed.delete(keyId)
    }
  }

  async #inTurn(prove: () => Promise<boolean>): Promise<boolean> {
    if (this.#hashing < this.#limit) this.#hashing++
    // Who ends hands its turn to the next, so that nobody gets in between.
    else await new Promise<void>((resolve) => this.#line.push(resolve))
    try {
      return await prove()
    } finally {
      const next = this.#line.shift()
      if (next === undefined) this.#hashing--
      else next()
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
