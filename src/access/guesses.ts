import { LRUCache } from 'lru-cache'
import { ParleyError } from '../protocol/errors.ts'

const MINUTE_MS = 60_000
/** Key ids and addresses whose failures are counted; the longest quiet go first. About 200 bytes each. */
const MAX_PLACES = 20_000
/** Milliseconds: about ten hashes later. */
const SHED_RETRY_MS = 250
/** Key ids that may wait for a hash: 0.4 s at two hashes of 24 ms at once, within what a handshake may take. */
const MAX_WAITING = 32
/** The same of those that were guessed at: they wait until none of the others does, so few are enough. */
const MAX_GUESSED_WAITING = 8
/** Milliseconds for which a key counts as guessed at after a wrong secret. */
const GUESSED_MS = 60_000
/** Key ids that are remembered as such: more than are hashed in that time. About 100 bytes each. */
const MAX_GUESSED = 10_000

export type GuessLimits = {
  /** Wrong secrets a minute per key id and address before nothing is hashed any more. */
  readonly guessesPerMinute: number
  /** Hashes in flight, because each takes a core for 24 ms and 19 MiB; a few more wait, the rest is shed. */
  readonly hashesAtOnce: number
}

/** Those in flight and in line, how many are in flight (of so many at once), and whose turn is next. */
type Line = {
  readonly placed: Set<string>
  readonly turns: (() => void)[]
  readonly mostWaiting: number
  readonly mostHashing: number
  hashing: number
}

/**
 * Keeps slow hashes from being a way to take the server down, and secrets from being tried out. A key id has one place, in
 * flight or in line: guesses at one key, from however many addresses, leave the owners of all others their turn. A key that
 * was guessed at waits behind all that were not, and where more than one hash is done at once, one is never its own: who comes
 * with a right key for the first time is not held up by a flood.
 */
export class Guesses {
  readonly #limit: number
  readonly #perMinute: number
  /** By key id and address, from the first failure on for a minute. */
  readonly #failures = new LRUCache<string, { count: number }>({ max: MAX_PLACES, ttl: MINUTE_MS })
  readonly #guessed = new LRUCache<string, true>({ max: MAX_GUESSED, ttl: GUESSED_MS })
  readonly #fresh: Line
  readonly #suspect: Line

  constructor({ guessesPerMinute, hashesAtOnce }: GuessLimits) {
    this.#limit = hashesAtOnce
    this.#perMinute = guessesPerMinute
    this.#fresh = newLine(MAX_WAITING, hashesAtOnce)
    this.#suspect = newLine(MAX_GUESSED_WAITING, Math.max(hashesAtOnce - 1, 1))
  }

  /** Throws `overloaded` while this key is being proven, or is in line for it. Costs nothing: to be asked before its row is read. */
  admit(keyId: string): void {
    if (this.#fresh.placed.has(keyId) || this.#suspect.placed.has(keyId)) throw shed()
  }

  /**
   * Runs `prove` in its turn: throws `overloaded` when this key is being proven already with another secret or its line is
   * full, `rate_limit_exceeded` when this key was guessed too often from this address.
   */
  async attempt(keyId: string, address: string, prove: () => Promise<boolean>): Promise<boolean> {
    this.admit(keyId)
    const line = this.#guessed.has(keyId) ? this.#suspect : this.#fresh
    if (line.placed.size >= this.#limit + line.mostWaiting) throw shed()
    line.placed.add(keyId)
    try {
      const failures = this.#take(keyId, address)
      const proven = await this.#inTurn(line, prove)
      if (proven) failures.count--
      else this.#guessed.set(keyId, true)
      return proven
    } finally {
      line.placed.delete(keyId)
    }
  }

  /**
   * A wrong secret that is known as one without a hash: it counts like the others, and takes no place. Throws
   * `rate_limit_exceeded` as `attempt` does.
   */
  miss(keyId: string, address: string): void {
    this.#take(keyId, address)
  }

  async #inTurn(line: Line, prove: () => Promise<boolean>): Promise<boolean> {
    if (this.#hasRoom(line)) line.hashing++
    else await new Promise<void>((resolve) => line.turns.push(resolve))
    try {
      return await prove()
    } finally {
      line.hashing--
      this.#next()
    }
  }

  /** Those in line are taken before anyone who comes later: counted as in flight at once. */
  #next(): void {
    for (const line of [this.#fresh, this.#suspect])
      while (line.turns.length > 0 && this.#hasRoom(line)) {
        line.hashing++
        line.turns.shift()?.()
      }
  }

  #hasRoom(line: Line): boolean {
    return line.hashing < line.mostHashing && this.#fresh.hashing + this.#suspect.hashing < this.#limit
  }

  /** Counted as a failure before it is one, so that guesses at the same time are all counted. */
  #take(keyId: string, address: string): { count: number } {
    const place = `${keyId} ${address}`
    const failures = this.#failures.get(place) ?? { count: 0 }
    if (failures.count >= this.#perMinute)
      throw new ParleyError('rate_limit_exceeded', { retryAfterMs: Math.ceil(this.#failures.getRemainingTTL(place)) })
    if (failures.count++ === 0) this.#failures.set(place, failures)
    return failures
  }
}

function newLine(mostWaiting: number, mostHashing: number): Line {
  return { placed: new Set(), turns: [], mostWaiting, mostHashing, hashing: 0 }
}

function shed(): ParleyError {
  return new ParleyError('overloaded', { retryAfterMs: SHED_RETRY_MS })
}
