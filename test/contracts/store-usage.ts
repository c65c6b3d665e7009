import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { NOW, run, session } from './store-rows.ts'
import { type MakeStore, openSubject, SOON } from './store-subject.ts'

export function usageRules(make: MakeStore): void {
  describe('tokens of an App', () => {
    const { store } = openSubject(make)

    it('are input and output of all its runs that ended since, of every model, however they ended', async () => {
      const app = `app-${randomUUID()}`
      const used = (inputTokens: number, outputTokens: number) => ({
        usage: [
          { inputTokens, outputTokens, totalTokens: 0, cachedInputTokens: 7 },
          { model: 'other', inputTokens: 1, outputTokens: 1, totalTokens: 0 },
        ],
      })
      const write = async (fields: { app: string; endedAt: number }, tokens: number) => {
        const row = session({ app: fields.app, updatedAt: fields.endedAt })
        const runs = [
          run(row.id, 'a', { position: 1, status: 'failed', endedAt: fields.endedAt, ...used(tokens, 3) }),
          run(row.id, 'b', { position: 2, endedAt: fields.endedAt }),
          run(row.id, 'c', { status: 'queued' }),
        ]
        await store().commit({ sessionId: row.id, session: row, runs }, SOON)
      }
      expect(await store().tokensSince(app, NOW)).toBe(0)
      await write({ app, endedAt: NOW }, 100)
      await write({ app, endedAt: NOW + 1 }, 2000)
      await write({ app, endedAt: NOW - 1 }, 40_000)
      await write({ app: `${app}x`, endedAt: NOW }, 500_000)
      expect(await store().tokensSince(app, NOW)).toBe(2110)
      expect(await store().tokensSince(app, NOW - 1)).toBe(42_115)
    })
  })
}
