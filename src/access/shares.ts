import type { Guest, Release } from '../ports/access.ts'
import type { App } from '../ports/apps.ts'
import type { Owner } from '../ports/store.ts'
import type { UsageStore } from '../ports/usage.ts'
import { type Claim, Places, takeAll } from './places.ts'
import { TokenBudgets } from './token-budgets.ts'

/** What the definition of an App does not say otherwise. */
export type ShareLimits = {
  readonly connectionsPerKey: number
  readonly connectionsPerApp: number
  /** Answers under way at once. */
  readonly appRunsAtOnce: number
  readonly accountRunsAtOnce: number
  /** Input and output of an App's models, a day of UTC; 0: as many as there are. */
  readonly appTokensPerDay: number
}

/** What one key, App or account may take of this process, so that none is in another's way. */
export class Shares {
  readonly #settings: ShareLimits
  readonly #keys = new Places()
  readonly #apps = new Places()
  readonly #appRuns = new Places()
  readonly #accountRuns = new Places()
  readonly #tokens: TokenBudgets

  constructor(usage: UsageStore, settings: ShareLimits) {
    this.#settings = settings
    this.#tokens = new TokenBudgets(usage)
  }

  /** A place among the connections of the key (tickets: of the key that minted them) and of the App. */
  admitGuest(guest: Guest): void {
    const { keyId } = guest.principal
    if (keyId !== undefined) this.#keys.claim(keyId, this.#settings.connectionsPerKey)
    try {
      this.#apps.claim(guest.app.id, guest.app.limits?.connections ?? this.#settings.connectionsPerApp)
    } catch (thrown) {
      if (keyId !== undefined) this.#keys.leave(keyId)
      throw thrown
    }
  }

  leaveGuest({ principal: { keyId }, app }: Guest): void {
    if (keyId !== undefined) this.#keys.leave(keyId)
    this.#apps.leave(app.id)
  }

  /** A place among the answers of the App and of the account that is `owner`'s, where tokens are left. */
  async takeRun({ account }: Owner, app: App): Promise<Release> {
    const { appRunsAtOnce, accountRunsAtOnce } = this.#settings
    await this.checkTokens(app)
    const ofApp: Claim = [this.#appRuns, app.id, app.limits?.runsAtOnce ?? appRunsAtOnce]
    return takeAll(account === undefined ? [ofApp] : [[this.#accountRuns, account, accountRunsAtOnce], ofApp])
  }

  /** Throws `rate_limit_exceeded` until the day's end where the App has used up its tokens. */
  async checkTokens({ id, limits }: App): Promise<void> {
    const limit = limits?.tokensPerDay ?? this.#settings.appTokensPerDay
    if (limit > 0) await this.#tokens.check(id, limit, Date.now())
  }

  spent(app: string, tokens: number): void {
    this.#tokens.spent(app, tokens, Date.now())
  }
}
