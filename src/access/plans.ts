import { LRUCache } from 'lru-cache'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { type AccountStore, NO_PLAN, type Plan, type Standing } from '../ports/accounts.ts'
import type { Change, ChangeFeed } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { ParleyError } from '../protocol/errors.ts'

/** Accounts whose plan is in memory; about 200 bytes each. */
const MAX_ACCOUNTS = 50_000
/** Windows begin with an account's first charge and are as long as the plans' words say, in seconds. */
const SECONDS = { minute: 60, hour: 3600 } as const

export type PlanSettings = {
  readonly plans: ReadonlyMap<string, Plan>
  /** Of accounts that nobody gave one: a name in `plans`, or `none`. */
  readonly defaultPlan: string
}

export type PlanParts = {
  readonly accounts: AccountStore
  readonly changes: ChangeFeed
  readonly telemetry: Telemetry
  readonly settings: PlanSettings
}

/** What accounts have used of their plans, in this process. */
export class Plans {
  readonly #parts: PlanParts
  /** Promises, so that all who ask at once share a read. A change takes them out: a read under way is not kept. */
  readonly #known = new LRUCache<string, Promise<Plan | undefined>>({ max: MAX_ACCOUNTS })
  // They only count: the bound is the plan's, so that a count outlives a change of plan.
  readonly #minute = counter('minute')
  readonly #hour = counter('hour')
  readonly #unsubscribe: () => void

  constructor(parts: PlanParts) {
    this.#parts = parts
    this.#unsubscribe = parts.changes.subscribe((change) => this.#onChange(change))
  }

  /** Takes one of the account's plan; throws `rate_limit_exceeded` with when to come back. What is refused by the minute leaves the hour alone. */
  async charge(account: string): Promise<void> {
    const plan = await this.#planOf(account)
    if (plan === undefined) return
    const minute = await this.#minute.consume(account)
    if (minute.consumedPoints > plan.perMinute) throw refusal(minute.msBeforeNext)
    const hour = await this.#hour.consume(account)
    if (hour.consumedPoints > plan.perHour) throw refusal(hour.msBeforeNext)
  }

  /** Undefined: no plan limits the account. */
  async standing(account: string): Promise<Standing | undefined> {
    const plan = await this.#planOf(account)
    if (plan === undefined) return undefined
    const [minute, hour] = await Promise.all([
      standingIn('minute', plan.perMinute, this.#minute, account),
      standingIn('hour', plan.perHour, this.#hour, account),
    ])
    if (minute.remaining === hour.remaining) return minute.resetMs > hour.resetMs ? minute : hour
    return minute.remaining < hour.remaining ? minute : hour
  }

  close(): void {
    this.#unsubscribe()
    this.#known.clear()
  }

  #planOf(account: string): Promise<Plan | undefined> {
    const known = this.#known.get(account)
    if (known !== undefined) return known
    const read = this.#read(account)
    this.#known.set(account, read)
    read.catch(() => {
      if (this.#known.peek(account) === read) this.#known.delete(account)
    })
    return read
  }

  async #read(account: string): Promise<Plan | undefined> {
    const { accounts, settings, telemetry } = this.#parts
    const name = await accounts.planOf(account)
    if (name !== undefined && name !== NO_PLAN && !settings.plans.has(name))
      telemetry.log('warn', 'plan not configured', { plan: name, account })
    const own = name === NO_PLAN || settings.plans.has(name ?? '') ? name : undefined
    return settings.plans.get(own ?? settings.defaultPlan)
  }

  #onChange(change: Change): void {
    if (change.kind === 'account') this.#known.delete(change.id)
    else if (change.kind === 'everything') this.#known.clear()
  }
}

function counter(name: Standing['name']): RateLimiterMemory {
  return new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: SECONDS[name] })
}

async function standingIn(
  name: Standing['name'],
  limit: number,
  counted: RateLimiterMemory,
  account: string,
): Promise<Standing> {
  const found = await counted.get(account)
  // Nothing was charged yet: a window would begin now.
  const [used, resetMs] = found === null ? [0, SECONDS[name] * 1000] : [found.consumedPoints, found.msBeforeNext]
  return { name, limit, remaining: Math.max(0, limit - used), resetMs }
}

function refusal(retryAfterMs: number): ParleyError {
  return new ParleyError('rate_limit_exceeded', { retryAfterMs })
}
