import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Change } from '../../src/ports/store.ts'
import { key, NOW } from './store-rows.ts'
import { type MakeStore, openSubject } from './store-subject.ts'

export function accountRules(make: MakeStore): void {
  describe('accounts', () => {
    const { store, other } = openSubject(make)
    const makeAccount = async (keys = 1) => {
      const [app, account] = [`app-${randomUUID()}`, `account-${randomUUID()}`]
      await store().putApp({ id: app, definition: {}, updatedAt: NOW })
      for (let count = 0; count < keys; count++) await store().createKey(key({ account, apps: [app] }))
      return account
    }

    it('come to be with their first key, without a plan', async () => {
      const account = await makeAccount(2)
      expect(await store().planOf(account)).toBeUndefined()
    })

    it('keep the plan that they are given, other processes hear of it, and it can be taken away', async () => {
      const account = await makeAccount()
      const changes: Change[] = []
      const stop = other().store.subscribe((change) => changes.push(change))
      expect(await store().setPlan(account, 'pro')).toBe(true)
      expect(await other().store.planOf(account)).toBe('pro')
      await expect.poll(() => changes).toContainEqual({ kind: 'account', id: account })
      stop()
      expect(await store().setPlan(account, undefined)).toBe(true)
      expect(await store().planOf(account)).toBeUndefined()
    })

    it('that do not exist have no plan and are given none', async () => {
      expect(await store().planOf('nobody')).toBeUndefined()
      expect(await store().setPlan('nobody', 'pro')).toBe(false)
    })
  })
}
