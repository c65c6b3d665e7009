import { describe, expect, it } from 'vitest'
import type { SessionWrite } from '../../src/ports/store.ts'
import { message, run, session } from './store-rows.ts'
import { type MakeStore, openSubject, refusal, SOON } from './store-subject.ts'

export function fenceRules(make: MakeStore): void {
  describe('fences', () => {
    const { store, other } = openSubject(make)
    /** A run of this process with one message, at fence 2. */
    const running = async () => {
      const row = session({ status: 'processing' })
      const active = run(row.id, 'r1', { status: 'running', position: 1, node: store().node, fence: 2 })
      const write = {
        sessionId: row.id,
        session: row,
        runs: [active],
        messages: [message(active, 0)],
      } satisfies SessionWrite
      await store().commit(write, SOON)
      return { row, active, write }
    }
    const expectUntouched = async (write: SessionWrite) => {
      expect((await store().load(write.sessionId))?.session).toEqual(write.session)
      const page = await store().history(write.sessionId, { maxMessages: 9, maxBytes: 999 })
      expect(page.messages).toEqual(write.messages)
    }

    it('I1: a write with a lower fence is refused, its session and messages with it', async () => {
      const { row, active, write } = await running()
      const old = { ...active, status: 'finished', fence: 1 } as const
      const stale = { sessionId: row.id, session: { ...row, title: 'late' }, runs: [old], messages: [message(old, 1)] }
      await expect(store().commit(stale, SOON)).rejects.toMatchObject(refusal('conflict'))
      await expectUntouched(write)
    })

    it('I1: of two processes that start the same run, the second is refused', async () => {
      const { row, active, write } = await running()
      const mine = { ...active, node: other().store.node }
      const second = {
        sessionId: row.id,
        session: { ...row, title: 'mine' },
        runs: [mine],
        messages: [message(mine, 1)],
      }
      await expect(other().store.commit(second, SOON)).rejects.toMatchObject(refusal('conflict'))
      await expectUntouched(write)
    })

    it('a higher fence takes the run over, and the process before writes no more of it', async () => {
      const { row, active } = await running()
      const taken = { ...active, node: other().store.node, fence: 3 }
      await other().store.commit({ sessionId: row.id, runs: [taken] }, SOON)
      const text = { sessionId: row.id, messages: [message(active, 0, { content: 'late' })] }
      await expect(store().commit(text, SOON)).rejects.toMatchObject(refusal('conflict'))
      await expect(store().commit({ ...text, runs: [active] }, SOON)).rejects.toMatchObject(refusal('conflict'))
      await other().store.commit({ sessionId: row.id, messages: [message(taken, 0, { content: 'newer' })] }, SOON)
      const page = await store().history(row.id, { maxMessages: 9, maxBytes: 999 })
      expect(page.messages.map(({ content }) => content)).toEqual(['newer'])
    })

    it('a checkpoint of a run that was ended elsewhere is refused', async () => {
      const { row, active } = await running()
      await other().store.commit({ sessionId: row.id, runs: [{ ...active, status: 'interrupted', fence: 3 }] }, SOON)
      const checkpoint = { sessionId: row.id, messages: [message(active, 1)] }
      await expect(store().commit(checkpoint, SOON)).rejects.toMatchObject(refusal('conflict'))
    })

    it('refuses only the fenced write of a session whose writes meet in one moment', async () => {
      const { row, active } = await running()
      const settled = await Promise.allSettled([
        store().commit({ sessionId: row.id, session: { ...row, title: 'named' } }, SOON),
        store().commit({ sessionId: row.id, runs: [{ ...active, fence: 1 }] }, SOON),
        store().commit({ sessionId: row.id, runs: [run(row.id, 'r2', { status: 'queued' })] }, SOON),
      ])
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      const loaded = await store().load(row.id)
      expect([loaded?.session.title, loaded?.openRuns.length]).toEqual(['named', 2])
    })
  })
}
