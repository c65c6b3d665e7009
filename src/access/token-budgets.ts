import { LRUCache } from 'lru-cache'
import type { UsageStore } from '../ports/usage.ts'
import { ParleyError } from '../protocol/errors.ts'

/** Milliseconds of a day of UTC, which has no leap seconds here. */
const DAY_MS = 86_400_000
/** Apps whose tokens are counted; about 100 bytes each. One that leaves memory is read again. */
const MAX_APPS = 10_000
/** Milliseconds after which the store is asked again: what other processes spent counts within it. */
const REREAD_MS = 30_000

type Day = {
  readonly startsAt: number
  tokens: number
  readAt: number
  /** The first read of it; who asks meanwhile waits. */
  known: Promise<void>
}

/** Tokens of Apps since midnight UTC: what is stored of ended runs, and those that ended here since it was read. */
export class TokenBudgets {
  readonly #usage: UsageStore
  readonly #days = new LRUCache<string, Day>({ max: MAX_APPS })

  constructor(usage: UsageStore) {
    this.#usage = usage
  }

  /** Throws `rate_limit_exceeded`, with the time to midnight, where `app` has had its `limit`. */
  async check(app: string, limit: number, now: number): Promise<void> {
    const day = this.#dayOf(app, now)
    await day.known
    if (now - day.readAt >= REREAD_MS) {
      day.readAt = now
      // Nobody waits for it, and where the store is away the figure in memory stands.
      this.#read(app, day).catch(() => undefined)
    }
    if (day.tokens < limit) return
    throw new ParleyError('rate_limit_exceeded', {
      message: 'This App has used up its tokens for today',
      retryAfterMs: day.startsAt + DAY_MS - now,
    })
  }

  /** Of an App that nobody asked about nothing is kept: its runs are in the store. */
  spent(app: string, tokens: number, now: number): void {
    const day = this.#days.get(app)
    if (day !== undefined && isOn(day, now)) day.tokens += tokens
  }

  #dayOf(app: string, now: number): Day {
    const held = this.#days.get(app)
    if (held !== undefined && isOn(held, now)) return held
    const startsAt = now - (now % DAY_MS)
    const day: Day = { startsAt, tokens: 0, readAt: now, known: Promise.resolve() }
    day.known = this.#read(app, day)
    this.#days.set(app, day)
    day.known.catch(() => {
      if (this.#days.peek(app) === day) this.#days.delete(app)
    })
    return day
  }

  /** Never less than is known: runs that ended meanwhile may not be stored, and a session that is deleted was answered. */
  async #read(app: string, day: Day): Promise<void> {
    const stored = await this.#usage.tokensSince(app, day.startsAt)
    day.tokens = Math.max(day.tokens, stored)
  }
}

function isOn({ startsAt }: Day, now: number): boolean {
  return now >= startsAt && now - startsAt < DAY_MS
}
