import { describe, expect, it } from 'vitest'
import type { SessionWrite } from '../../src/ports/store.ts'
import { message, NOW, run, session } from './store-rows.ts'
import { type MakeStore, openSubject, refusal, SOON } from './store-subject.ts'

/** What is on its way into the store when a session is deleted. */
export function deletionRules(make: MakeStore): void {
  describe('deletions', () => {
    const { store, other } = openSubject(make)

    /** A session whose run is on in this process, stored. */
    const begin = async () => {
      const row = session({ status: 'processing', title: 'dear' })
      const active = run(row.id, 'r1', { status: 'running', position: 1, node: store().node })
      const said = message(active, 1, { role: 'assistant', content: 'half' })
      const write: SessionWrite = {
        sessionId: row.id,
        session: row,
        runs: [active],
        messages: [message(active, 0), said],
      }
      await store().commit(write, SOON)
      return { row, active, said, write }
    }
    type Begun = Awaited<ReturnType<typeof begin>>

    /** Every kind of write that its process may still have under way. */
    const LATE: readonly (readonly [string, (begun: Begun) => SessionWrite])[] = [
      [
        'the end of its run',
        ({ row, active, said }) => ({
          sessionId: row.id,
          session: { ...row, status: 'idle', updatedAt: NOW + 5 },
          known: true,
          runs: [{ ...active, status: 'finished', endedAt: NOW + 5 }],
          messages: [{ ...said, content: 'half and whole' }],
        }),
      ],
      ['a title', ({ row }) => ({ sessionId: row.id, session: { ...row, title: 'late' }, known: true })],
      [
        'another send',
        ({ row }) => {
          const next = run(row.id, 'r2', { position: 2 })
          const session = { ...row, updatedAt: NOW + 5 }
          return { sessionId: row.id, session, known: true, runs: [next], messages: [message(next, 0)] }
        },
      ],
      [
        'a send that waits',
        ({ row }) => {
          const next = run(row.id, 'r2', { status: 'queued' })
          return { sessionId: row.id, runs: [next], messages: [message(next, 0)] }
        },
      ],
      ['a checkpoint', ({ row, said }) => ({ sessionId: row.id, messages: [{ ...said, content: 'half and more' }] })],
      [
        'more of an answer',
        ({ row, active, said }) => {
          return { sessionId: row.id, tails: [{ id: said.id, runId: active.id, from: 4, text: ' and more' }] }
        },
      ],
    ]

    const expectNothing = async ({ row, said }: Begun) => {
      expect(await store().load(row.id)).toBeUndefined()
      expect(await store().findRun(row.id, 'r2')).toBeUndefined()
      expect(await store().runMessages([{ sessionId: row.id, runId: said.runId }])).toEqual(new Map())
    }

    it.each(LATE)('refuse what comes late: %s', async (_, late) => {
      const begun = await begin()
      await other().store.delete(begun.row.id)
      await expect(store().commit(late(begun), SOON)).rejects.toMatchObject(refusal('conflict'))
      await expectNothing(begun)
    })

    it.each(LATE)('leave nothing behind of what comes in the same moment: %s', async (_, late) => {
      const begun = await begin()
      const [deleted, written] = await Promise.allSettled([
        other().store.delete(begun.row.id),
        store().commit(late(begun), SOON),
      ])
      expect(deleted).toEqual({ status: 'fulfilled', value: true })
      // It came before, or it is refused.
      const outcome: unknown = written.status === 'rejected' ? written.reason : refusal('conflict')
      expect(outcome).toMatchObject(refusal('conflict'))
      await expectNothing(begun)
    })

    it('of a session as it is known remove no other, nor one that was written to since', async () => {
      const { row } = await begin()
      const [before, after] = [
        { ...row, createdAt: row.createdAt - 1 },
        { ...row, updatedAt: row.updatedAt + 1 },
      ]
      for (const known of [before, after]) expect(await other().store.delete(row.id, known)).toBe(false)
      expect(await store().load(row.id)).toBeDefined()
      expect(await other().store.delete(row.id, row)).toBe(true)
      expect(await store().load(row.id)).toBeUndefined()
    })

    it('refuse only what came late, not what other sessions wrote in the same moment', async () => {
      const [gone, kept] = [await begin(), await begin()]
      await other().store.delete(gone.row.id)
      const ends = [gone, kept].map((begun) => LATE.map(([, late]) => late(begun))[0])
      const settled = await Promise.allSettled(ends.flatMap((write) => (write ? [store().commit(write, SOON)] : [])))
      expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
      expect((await store().load(kept.row.id))?.lastRun?.status).toBe('finished')
    })

    it.each([
      ['before', LATE],
      // A send without its session's row is told from one of the new session by nothing.
      ['after', LATE.filter(([name]) => name !== 'a send that waits')],
    ] as const)(
      'let what comes late of the old one have no part in a new one that this process makes in the same moment: %s it',
      async (when, lates) => {
        for (const [, late] of lates) {
          const begun = await begin()
          await other().store.delete(begun.row.id)
          const anew = { ...begun.row, title: 'new', createdAt: NOW + 1000, updatedAt: NOW + 1000 }
          const first = run(anew.id, 'n1', { status: 'finished', position: 1 })
          const write = { sessionId: anew.id, session: anew, runs: [first], messages: [message(first, 0)] }
          const both = when === 'before' ? [late(begun), write] : [write, late(begun)]
          const settled = await Promise.allSettled(both.map((each) => store().commit(each, SOON)))
          const reasons: unknown[] = settled.map((one) => (one.status === 'rejected' ? one.reason : undefined))
          expect(reasons.filter((reason) => reason !== undefined)).toMatchObject([refusal('conflict')])
          expect(reasons[both.indexOf(write)]).toBeUndefined()
          expect((await store().load(anew.id))?.session).toEqual(anew)
          const page = await store().history(anew.id, { maxMessages: 9, maxBytes: 999 })
          expect(page.messages).toEqual(write.messages)
          for (const gone of ['r1', 'r2']) expect(await store().findRun(anew.id, gone)).toBeUndefined()
        }
      },
    )

    it('let a new session of the same id be, which what comes late of the old one does not touch', async () => {
      const begun = await begin()
      await other().store.delete(begun.row.id)
      const anew = { ...begun.row, title: 'new', createdAt: NOW + 1000, updatedAt: NOW + 1000 }
      const first = run(anew.id, 'n1', { status: 'finished', position: 1 })
      const write = { sessionId: anew.id, session: anew, runs: [first], messages: [message(first, 0)] }
      await other().store.commit(write, SOON)
      for (const [, late] of LATE.filter(([name]) => name !== 'a send that waits'))
        await expect(store().commit(late(begun), SOON)).rejects.toMatchObject(refusal('conflict'))
      expect((await store().load(anew.id))?.session).toEqual(anew)
      const page = await store().history(anew.id, { maxMessages: 9, maxBytes: 999 })
      expect(page.messages).toEqual(write.messages)
    })

    it('keep when a session was made, whoever writes it as new', async () => {
      const { row } = await begin()
      await other().store.commit({ sessionId: row.id, session: { ...row, createdAt: NOW + 7 } }, SOON)
      expect((await store().load(row.id))?.session.createdAt).toBe(NOW)
    })
  })
}
