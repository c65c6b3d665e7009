import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { SESSION_VAULT } from '../../src/ports/vault.ts'
import { answered } from './store-rows.ts'
import { type MakeStore, openSubject, SOON } from './store-subject.ts'

const LIMIT = 3

export function vaultRules(make: MakeStore): void {
  describe('secrets that people leave', () => {
    const { store, other } = openSubject(make)
    const put = (id: string, ...names: string[]) =>
      store().putEntries({ id, passing: true, entries: names.map((name) => ({ name, sealed: `1.${name}` })) }, LIMIT)

    it('are sealed with one key by all processes, whoever asks first', async () => {
      const [one, two] = await Promise.all([store().sealingKey('a'), other().store.sealingKey('b')])
      expect(one).toBe(two)
      expect(await store().signingSecret('s')).not.toBe(one)
    })

    it('are put, replaced, listed and deleted, and every process sees it at once', async () => {
      const id = randomUUID()
      expect(await put(id, 'B', 'A')).toBe(true)
      await store().putEntries({ id, passing: false, entries: [{ name: 'A', sealed: '1.new' }] }, LIMIT)
      expect(await other().store.listEntries(id)).toEqual([
        { name: 'A', sealed: '1.new' },
        { name: 'B', sealed: '1.B' },
      ])
      expect(await other().store.deleteEntries(id, 'A')).toBe(true)
      expect(await other().store.deleteEntries(id, 'A')).toBe(false)
      expect((await store().listEntries(id)).map(({ name }) => name)).toEqual(['B'])
      expect([await store().deleteEntries(id), await store().deleteEntries(id)]).toEqual([true, false])
      expect(await other().store.listEntries(id)).toEqual([])
    })

    it('of a session go with it; others stay', async () => {
      const write = answered({ app: randomUUID() })
      const other = randomUUID()
      await store().commit(write, SOON)
      await put(SESSION_VAULT + write.sessionId, 'A')
      await put(other, 'A')
      expect(await store().delete(write.sessionId)).toBe(true)
      expect(await store().listEntries(SESSION_VAULT + write.sessionId)).toEqual([])
      expect(await store().listEntries(other)).toHaveLength(1)
    })

    it('are refused, all of them, beyond the limit', async () => {
      const id = randomUUID()
      expect(await put(id, 'A', 'B', 'C', 'D')).toBe(false)
      expect(await store().listEntries(id)).toEqual([])
      expect(await put(id, 'A', 'B', 'C')).toBe(true)
      expect([await put(id, 'D'), await put(id, 'C')]).toEqual([false, true])
      expect(await store().listEntries(id)).toHaveLength(LIMIT)
    })

    it('of several vaults those that hold any are told', async () => {
      const [full, empty] = [randomUUID(), randomUUID()]
      await put(full, 'A')
      expect(await other().store.holding([empty, full])).toEqual([full])
      expect(await store().holding([])).toEqual([])
    })
  })
}
