import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { HistoryQuery, MessageRow } from '../../src/ports/store.ts'
import { answered, message, NOW, run, session } from './store-rows.ts'
import { type MakeStore, openSubject, SOON } from './store-subject.ts'

const ALL = { maxMessages: 100, maxBytes: 1_000_000 }

export function historyRules(make: MakeStore): void {
  describe('history', () => {
    const { store } = openSubject(make)
    const ids = async (sessionId: string, query: HistoryQuery = ALL) => {
      const page = await store().history(sessionId, query)
      return [...page.messages.map(({ id }) => id), ...(page.hasMore ? ['more'] : [])].join(' ')
    }
    /** Runs r1 to r3, two messages each, stored in another order than that of the session. */
    const stored = async () => {
      const row = session()
      const runs = [2, 3, 1].map((position) => run(row.id, `r${position}`, { position }))
      const messages = runs.flatMap((one) => [message(one, 1, { role: 'assistant' }), message(one, 0)])
      await store().commit({ sessionId: row.id, session: row, runs, messages }, SOON)
      return { row, runs }
    }

    it('I3: gives every field of a message back', async () => {
      const row = session()
      const first = run(row.id, 'r1', { position: 1 })
      const full: Required<MessageRow> = {
        ...message(first, 0),
        role: 'assistant',
        content: 'line\n"quote" \\ 🦜 \u0001',
        toolCalls: [{ id: 'c1', name: 'clock', arguments: '{"a": 1}' }],
        toolCallId: 'c0',
        isError: true,
        blocks: { provider: 'anthropic', content: [{ type: 'thinking', signature: 's', deep: { n: [1, null] } }] },
        interrupted: true,
        createdAt: NOW + 1,
      }
      const plain = message(first, 1, { role: 'tool', content: '' })
      await store().commit({ sessionId: row.id, session: row, runs: [first], messages: [full, plain] }, SOON)
      expect(await store().history(row.id, ALL)).toStrictEqual({ messages: [full, plain], hasMore: false })
    })

    it('tells a run’s id that is taken, by a run or by a message that has the id of one of its own', async () => {
      const row = session()
      const first = run(row.id, 'r1', { position: 1 })
      const messages = ['a-b-12', 'c-', 'd-1x', 'e_1-1'].map((id, index) => ({ ...message(first, index), id }))
      await store().commit({ sessionId: row.id, session: row, runs: [first], messages }, SOON)
      const asked = ['r1', 'a-b', 'e_1', 'a', 'b', 'c', 'd', 'e%1', 'r', 'a-b-12']
      const taken = await Promise.all(asked.map((id) => store().isRunTaken(row.id, id)))
      expect(asked.filter((_, index) => taken[index])).toEqual(['r1', 'a-b', 'e_1'])
      expect(await store().isRunTaken(randomUUID(), 'r1')).toBe(false)
    })

    it('is ordered by the position of the run, then the index in it', async () => {
      const { row } = await stored()
      expect(await ids(row.id)).toBe('r1-0 r1-1 r2-0 r2-1 r3-0 r3-1')
    })

    it('shows a running run and not one that waits', async () => {
      const { row } = await stored()
      const running = run(row.id, 'r4', { status: 'running', position: 4, node: store().node })
      const queued = run(row.id, 'r5', { status: 'queued' })
      await store().commit(
        { sessionId: row.id, runs: [running, queued], messages: [message(running, 0), message(queued, 0)] },
        SOON,
      )
      expect(await ids(row.id)).toBe('r1-0 r1-1 r2-0 r2-1 r3-0 r3-1 r4-0')
    })

    it('pages backwards from a message', async () => {
      const { row } = await stored()
      expect(await ids(row.id, { ...ALL, maxMessages: 3 })).toBe('r2-1 r3-0 r3-1 more')
      expect(await ids(row.id, { ...ALL, maxMessages: 3, before: 'r2-1' })).toBe('r1-0 r1-1 r2-0')
      expect(await ids(row.id, { ...ALL, before: 'r1-0' })).toBe('')
      expect(await ids(row.id, { ...ALL, before: 'nobody' })).toBe('')
      expect(await ids(randomUUID())).toBe('')
    })

    it('I7: stops at a number of bytes, but gives one message', async () => {
      const row = session()
      const first = run(row.id, 'r1', { position: 1 })
      const messages = [0, 1, 2].map((index) => message(first, index, { content: 'ü'.repeat(50) }))
      await store().commit({ sessionId: row.id, session: row, runs: [first], messages }, SOON)
      expect(await ids(row.id, { ...ALL, maxBytes: 200 })).toBe('r1-1 r1-2 more')
      expect(await ids(row.id, { ...ALL, maxBytes: 199 })).toBe('r1-2 more')
      expect(await ids(row.id, { ...ALL, maxBytes: 1 })).toBe('r1-2 more')
      expect(await ids(row.id, { ...ALL, maxBytes: 300 })).toBe('r1-0 r1-1 r1-2')
    })

    it('I5: gives all that is stored of one run, in its order, and nothing for a run without messages', async () => {
      const { row } = await stored()
      const found = await store().runMessages([{ sessionId: row.id, runId: 'r2' }])
      expect(found.get(row.id)?.map(({ id }) => id)).toEqual(['r2-0', 'r2-1'])
      expect(await store().runMessages([{ sessionId: row.id, runId: 'nobody' }])).toEqual(new Map())
    })

    it('leaves out what a retry replaced, with all after it but the runs of the write', async () => {
      const { row } = await stored()
      const again = run(row.id, 'r4', { position: 4, replaces: 'r2' })
      await store().commit(
        { sessionId: row.id, runs: [again], messages: [message(again, 0)], supersedeFromRun: 'r2' },
        SOON,
      )
      expect(await ids(row.id)).toBe('r1-0 r1-1 r4-0')
      expect(await ids(row.id, { ...ALL, before: 'r2-1' })).toBe('r1-0 r1-1')
      for (const [id, superseded] of Object.entries({ r1: undefined, r2: true, r3: true, r4: undefined }))
        expect((await store().findRun(row.id, id))?.superseded).toBe(superseded)
      expect(await store().load(row.id)).toMatchObject({ lastRun: { id: 'r4' }, lastPosition: 4 })
    })

    it('P-54 P-57: leaves out a run of the write that says so, with what the write changes of it', async () => {
      const { row } = await stored()
      const closed = run(row.id, 'r3', { position: 3, fence: 2, model: 'm', node: store().node })
      const again = run(row.id, 'r4', { position: 4, replaces: 'r2' })
      const messages = [message(closed, 2, { role: 'tool' }), message(again, 0)]
      const runs = [{ ...closed, superseded: true as const }, again]
      await store().commit({ sessionId: row.id, runs, messages, supersedeFromRun: 'r2' }, SOON)
      expect(await ids(row.id)).toBe('r1-0 r1-1 r4-0')
      expect(await store().findRun(row.id, 'r3')).toEqual({ ...closed, superseded: true })
      expect(await store().findRun(row.id, 'r4')).toEqual(again)
      expect((await store().runMessages([{ sessionId: row.id, runId: 'r3' }])).get(row.id)).toHaveLength(3)
      await store().commit({ sessionId: row.id, runs: [closed] }, SOON)
      expect(await ids(row.id)).toBe('r1-0 r1-1 r4-0')
    })

    it('keeps a replaced run out when it is written again, and goes on after it', async () => {
      const { row, runs } = await stored()
      await store().commit({ sessionId: row.id, supersedeFromRun: 'r2' }, SOON)
      await store().commit({ sessionId: row.id, runs: runs.map((one) => ({ ...one, model: 'm' })) }, SOON)
      expect(await store().load(row.id)).toMatchObject({ lastRun: { id: 'r1', model: 'm' }, lastPosition: 3 })
      const next = run(row.id, 'r4', { position: 4 })
      await store().commit({ sessionId: row.id, runs: [next], messages: [message(next, 0)] }, SOON)
      expect(await ids(row.id)).toBe('r1-0 r1-1 r4-0')
    })

    it('replaces in order when writes meet in one moment', async () => {
      const { row } = await stored()
      const edit = (id: string, position: number, from: string) => {
        const again = run(row.id, id, { position })
        return store().commit(
          { sessionId: row.id, runs: [again], messages: [message(again, 0)], supersedeFromRun: from },
          SOON,
        )
      }
      const plain = run(row.id, 'r6', { position: 6 })
      await Promise.all([
        edit('r4', 4, 'r3'),
        edit('r5', 5, 'r4'),
        store().commit({ sessionId: row.id, runs: [plain], messages: [message(plain, 0)] }, SOON),
      ])
      expect(await ids(row.id)).toBe('r1-0 r1-1 r2-0 r2-1 r5-0 r6-0')
    })

    it('replaces nothing from a run that is unknown or never started', async () => {
      const write = answered()
      await store().commit({ ...write, runs: [...write.runs, run(write.sessionId, 'q', { status: 'queued' })] }, SOON)
      await store().commit({ sessionId: write.sessionId, supersedeFromRun: 'nobody' }, SOON)
      await store().commit({ sessionId: write.sessionId, supersedeFromRun: 'q' }, SOON)
      expect(await ids(write.sessionId)).toBe('r1-0 r1-1')
    })
  })
}
