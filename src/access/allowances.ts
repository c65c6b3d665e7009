import type { Access, Admission, Guest, Principal, Release } from '../ports/access.ts'
import type { AccountStore, Standing } from '../ports/accounts.ts'
import type { App } from '../ports/apps.ts'
import type { Owner } from '../ports/store.ts'
import type { UsageStore } from '../ports/usage.ts'
import { type AddressLimits, Limits } from './limits.ts'
import { type PlanParts, type PlanSettings, Plans } from './plans.ts'
import { type ShareLimits, Shares } from './shares.ts'

export type AllowanceSettings = AddressLimits & PlanSettings & ShareLimits

export type AllowanceParts = Pick<PlanParts, 'changes' | 'telemetry'> & {
  readonly accounts: AccountStore
  readonly usage: UsageStore
  readonly settings: AllowanceSettings
}

type Allowed = Pick<
  Access,
  | 'charge'
  | 'standing'
  | 'admitChange'
  | 'admitRun'
  | 'takeRun'
  | 'spent'
  | 'admitConnection'
  | 'leaveConnection'
  | 'admitGuest'
  | 'leaveGuest'
>

/** How much whoever was let in may take: by address, account, key and App. */
export class Allowances implements Allowed {
  readonly #limits: Limits
  readonly #plans: Plans
  readonly #shares: Shares

  constructor({ accounts, usage, changes, telemetry, settings }: AllowanceParts) {
    this.#limits = new Limits(settings)
    this.#plans = new Plans({ accounts, changes, telemetry, settings })
    this.#shares = new Shares(usage, settings)
  }

  async charge({ account }: Principal): Promise<void> {
    if (account !== undefined) await this.#plans.charge(account)
  }

  async standing({ account }: Principal): Promise<Standing | undefined> {
    return account === undefined ? undefined : this.#plans.standing(account).catch(() => undefined)
  }

  /** What found no place is not charged. */
  async admitRun(principal: Principal, from: Admission, app: App): Promise<Release> {
    await this.#shares.checkTokens(app)
    const release = await this.#limits.admitRun(principal, from)
    try {
      await this.charge(principal)
      return release
    } catch (thrown) {
      release()
      throw thrown
    }
  }

  async admitChange(principal: Principal, from: Admission): Promise<void> {
    const release = await this.#limits.admitRun(principal, from)
    release()
    await this.charge(principal)
  }

  takeRun(owner: Owner, app: App): Promise<Release> {
    return this.#shares.takeRun(owner, app)
  }

  spent(app: string, tokens: number): void {
    this.#shares.spent(app, tokens)
  }

  admitConnection(from: Admission): void {
    this.#limits.admitConnection(from)
  }

  leaveConnection(from: Admission): void {
    this.#limits.leaveConnection(from)
  }

  admitGuest(guest: Guest): void {
    this.#shares.admitGuest(guest)
  }

  leaveGuest(guest: Guest): void {
    this.#shares.leaveGuest(guest)
  }

  protected stop(): void {
    this.#plans.close()
  }
}
