import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { Admission, Principal, Release } from '../ports/access.ts'
import { ParleyError } from '../protocol/errors.ts'
import { isExempt } from './addresses.ts'

const SECONDS_PER_MINUTE = 60
/** Milliseconds: when a place among those at once may be free again; nobody knows, so it is a short answer's time. */
const PLACE_RETRY_MS = 2000

export type AddressLimits = {
  readonly connectionsPerAddress: number
  /** Without a credential. */
  readonly runsPerMinute: number
  /** Without a credential. */
  readonly runsAtOnce: number
}

/** What one address may take of the server. Loopback clients that speak for themselves are exempt. */
export class Limits {
  readonly #connections: Places
  readonly #runs: Places
  readonly #starts: RateLimiterMemory

  constructor({ connectionsPerAddress, runsPerMinute, runsAtOnce }: AddressLimits) {
    this.#connections = new Places(connectionsPerAddress)
    this.#runs = new Places(runsAtOnce)
    this.#starts = new RateLimiterMemory({ points: runsPerMinute, duration: SECONDS_PER_MINUTE })
  }

  admitConnection(from: Admission): Release {
    return isExempt(from) ? release : this.#connections.take(from.address)
  }

  /** A run that finds no place does not count as started. */
  async admitRun(principal: Principal, from: Admission): Promise<Release> {
    if (principal.kind !== 'anonymous' || isExempt(from)) return release
    const leave = this.#runs.take(from.address)
    try {
      await this.#starts.consume(from.address)
      return leave
    } catch (refusal) {
      leave()
      if (!(refusal instanceof RateLimiterRes)) throw refusal
      throw new ParleyError('rate_limit_exceeded', { retryAfterMs: refusal.msBeforeNext })
    }
  }
}

/** Nothing was taken. */
function release(): void {}

/** Counts who holds a place, by name; a name without places takes no memory. */
class Places {
  readonly #max: number
  readonly #taken = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  take(name: string): Release {
    const taken = this.#taken.get(name) ?? 0
    if (taken >= this.#max) throw new ParleyError('rate_limit_exceeded', { retryAfterMs: PLACE_RETRY_MS })
    this.#taken.set(name, taken + 1)
    let held = true
    return () => {
      if (held) this.#leave(name)
      held = false
    }
  }

  #leave(name: string): void {
    const left = (this.#taken.get(name) ?? 1) - 1
    if (left === 0) this.#taken.delete(name)
    else this.#taken.set(name, left)
  }
}
