import { describe } from 'vitest'
import { accountRules } from './store-accounts.ts'
import { commitRules } from './store-commits.ts'
import { deletionRules } from './store-deletions.ts'
import { fenceRules } from './store-fences.ts'
import { historyRules } from './store-history.ts'
import { keyRules } from './store-keys.ts'
import { sessionRules } from './store-sessions.ts'
import type { MakeStore } from './store-subject.ts'
import { tailRules } from './store-tails.ts'
import { ticketRules } from './store-tickets.ts'
import { usageRules } from './store-usage.ts'
import { vaultRules } from './store-vaults.ts'

/** What every implementation of src/ports/store.ts does. */
export function describeStore(name: string, make: MakeStore): void {
  describe(`store contract: ${name}`, () => {
    sessionRules(make)
    historyRules(make)
    commitRules(make)
    fenceRules(make)
    tailRules(make)
    deletionRules(make)
    keyRules(make)
    accountRules(make)
    ticketRules(make)
    usageRules(make)
    vaultRules(make)
  })
}
