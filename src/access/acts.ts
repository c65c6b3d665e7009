import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { ParleyError } from '../protocol/errors.ts'

const SECONDS_PER_MINUTE = 60
/** Acts of administration a minute by one key: a person with a script, or a page of lists; each costs a few queries. */
const ACTS_PER_MINUTE = 120

/** Counts what each key administers; throws `rate_limit_exceeded`. Entries are bounded by the keys that exist. */
export function createActLimit(): (keyId: string) => Promise<void> {
  const acts = new RateLimiterMemory({ points: ACTS_PER_MINUTE, duration: SECONDS_PER_MINUTE })
  return async (keyId) => {
    try {
      await acts.consume(keyId)
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal
      throw new ParleyError('rate_limit_exceeded', { retryAfterMs: refusal.msBeforeNext })
    }
  }
}
