import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { NOW } from './store-rows.ts'
import { type MakeStore, openSubject } from './store-subject.ts'

export function ticketRules(make: MakeStore): void {
  describe('tickets', () => {
    const { store, other } = openSubject(make)

    it('are signed with one secret by all processes, whoever asks first', async () => {
      const [one, two] = [store(), other().store]
      const candidates = ['a', 'b', 'c', 'd', 'e', 'f']
      const asked = candidates.map((candidate, nth) => (nth % 2 === 0 ? one : two).signingSecret(candidate))
      const [secret, ...others] = await Promise.all(asked)
      expect(candidates).toContain(secret)
      expect(new Set(others)).toEqual(new Set([secret]))
      expect(await two.signingSecret('late')).toBe(secret)
    })

    it('P-112: are used once, however many ask at the same moment and through whichever process', async () => {
      const id = randomUUID()
      const asked = Array.from({ length: 10 }, (_, nth) =>
        (nth % 2 === 0 ? store() : other().store).useTicket(id, Date.now() + 30_000),
      )
      expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1)
      expect(await store().useTicket(id, Date.now() + 30_000)).toBe(false)
      expect(await other().store.useTicket(randomUUID(), NOW)).toBe(true)
    })
  })
}
