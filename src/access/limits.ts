import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { type Admission, isLocal, type Principal, type Release } from '../ports/access.ts'
import { ParleyError } from '../protocol/errors.ts'
import { Places } from './places.ts'

const SECONDS_PER_MINUTE = 60
/** Acts of administration a minute by one key: a person with a script, or a page of lists; each costs a few queries. */
const ACTS_PER_MINUTE = 120

export type AddressLimits = {
  readonly connectionsPerAddress: number
  /** Without a credential. */
  readonly runsPerMinute: number
  /** Without a credential. */
  readonly runsAtOnce: number
}

/** What one address may take of the server. Local ones are exempt: they are its owner's. */
export class Limits {
  readonly #settings: AddressLimits
  readonly #connections = new Places()
  readonly #runs = new Places()
  readonly #starts: RateLimiterMemory

  constructor(settings: AddressLimits) {
    this.#settings = settings
    this.#starts = new RateLimiterMemory({ points: settings.runsPerMinute, duration: SECONDS_PER_MINUTE })
  }

  admitConnection(from: Admission): void {
    if (!isLocal(from)) this.#connections.claim(from.address, this.#settings.connectionsPerAddress)
  }

  leaveConnection(from: Admission): void {
    if (!isLocal(from)) this.#connections.leave(from.address)
  }

  /** A run that finds no place does not count as started. */
  async admitRun(principal: Principal, from: Admission): Promise<Release> {
    if (principal.kind !== 'anonymous' || isLocal(from)) return release
    const leave = this.#runs.take(from.address, this.#settings.runsAtOnce)
    try {
      await consume(this.#starts, from.address)
      return leave
    } catch (thrown) {
      leave()
      throw thrown
    }
  }
}

/** Counts what each key administers; throws `rate_limit_exceeded`. Entries are bounded by the keys that exist. */
export function createActLimit(): (keyId: string) => Promise<void> {
  const acts = new RateLimiterMemory({ points: ACTS_PER_MINUTE, duration: SECONDS_PER_MINUTE })
  return (keyId) => consume(acts, keyId)
}

async function consume(counted: RateLimiterMemory, name: string): Promise<void> {
  try {
    await counted.consume(name)
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal
    throw new ParleyError('rate_limit_exceeded', { retryAfterMs: refusal.msBeforeNext })
  }
}

/** Nothing was taken. */
function release(): void {}
