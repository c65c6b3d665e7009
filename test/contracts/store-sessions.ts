import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SessionRow } from '../../src/ports/store.ts'
import { answered, message, NOW, run, session } from './store-rows.ts'
import { type MakeStore, openSubject, SOON } from './store-subject.ts'

export function sessionRules(make: MakeStore): void {
  describe('sessions', () => {
    const { store, other, start } = openSubject(make)

    it('I3: gives every field of a session and its last run back', async () => {
      const row: Required<SessionRow> = {
        id: randomUUID(),
        app: 'shop',
        account: 'acme',
        user: 'ann',
        status: 'interrupted',
        title: 'Ünïcode 🦜 "quoted"',
        titleBy: 'person',
        wallet: { address: '0xabc', chain: '1' },
        model: 'anthropic/a',
        archived: true,
        vault: 'v1',
        createdAt: NOW,
        updatedAt: NOW + 1,
      }
      const usage = [{ inputTokens: 1, outputTokens: 2, totalTokens: 3, cachedInputTokens: 1 }]
      const ended = run(row.id, 'r1', {
        status: 'failed',
        parentRunId: 'r0',
        replaces: 'r00',
        position: 7,
        model: 'm',
        usage,
        errorCode: 'provider_error',
        startedAt: NOW + 2,
        endedAt: NOW + 3,
        node: store().node,
        fence: 3,
        keyId: 'k1',
      })
      await store().commit({ sessionId: row.id, session: row, runs: [ended] }, SOON)
      expect(await store().load(row.id)).toStrictEqual({ session: row, openRuns: [], lastRun: ended, lastPosition: 7 })
    })

    it('keeps whether a session is archived until somebody says otherwise, and lists it so', async () => {
      const row = session({ account: randomUUID(), archived: true })
      const { archived: _archived, ...rest } = row
      const owner = { app: row.app, account: row.account ?? '' }
      await store().commit({ sessionId: row.id, session: row }, SOON)
      await store().commit({ sessionId: row.id, session: { ...rest, updatedAt: NOW + 5 } }, SOON)
      expect((await store().load(row.id))?.session).toMatchObject({ archived: true, updatedAt: NOW + 5 })
      expect(await store().list(owner, 9)).toMatchObject([{ id: row.id, archived: true }])
      await store().commit({ sessionId: row.id, session: { ...row, archived: false } }, SOON)
      expect((await store().load(row.id))?.session.archived).toBe(false)
    })

    it('keeps a title that a person gave from one that the model or the first message gives later', async () => {
      const row = session({ title: 'Mine', titleBy: 'person' })
      const { title: _title, titleBy: _by, ...rest } = row
      const write = (over: Partial<SessionRow>) =>
        store().commit({ sessionId: row.id, session: { ...rest, ...over }, known: true }, SOON)
      await store().commit({ sessionId: row.id, session: row }, SOON)
      await write({ title: 'A Title', titleBy: 'model' })
      await write({ titleBy: 'model' })
      await write({ title: 'first words', titleBy: 'start', updatedAt: NOW + 5 })
      expect((await store().load(row.id))?.session).toStrictEqual({ ...row, updatedAt: NOW + 5 })
      await write({ title: 'Mine again', titleBy: 'person' })
      expect((await store().load(row.id))?.session).toMatchObject({ title: 'Mine again', titleBy: 'person' })
    })

    it('lists by wallet only what is bound to it', async () => {
      const account = randomUUID()
      const wallet = { address: '0xAbC', chain: '1' }
      const [bound, other, free] = [
        session({ account, wallet }),
        session({ account, wallet: { ...wallet, address: '0xd' } }),
        session({ account }),
      ]
      for (const row of [bound, other, free]) await store().commit({ sessionId: row.id, session: row }, SOON)
      const list = async (address: string) =>
        (await store().list({ app: bound.app, account }, 9, { wallet: address })).map(({ id }) => id)
      expect(await list('0xAbC')).toEqual([bound.id])
      expect(await list('0xabc')).toEqual([])
    })

    it('leaves out what a session does not have', async () => {
      const row = session()
      await store().commit({ sessionId: row.id, session: row }, SOON)
      expect(await store().load(row.id)).toStrictEqual({ session: row, openRuns: [], lastPosition: 0 })
    })

    it('loads many at once, each for whom asked, unknown and malformed ids as undefined', async () => {
      const [a, b] = [answered(), answered()]
      await Promise.all([store().commit(a, SOON), store().commit(b, SOON)])
      const loaded = await Promise.all(
        [a.sessionId, b.sessionId, a.sessionId, randomUUID(), 'x'].map((id) => store().load(id)),
      )
      expect(loaded.map((one) => one?.session.id)).toEqual([
        a.sessionId,
        b.sessionId,
        a.sessionId,
        undefined,
        undefined,
      ])
    })

    it('lists open runs in the order in which they will run, with what the person said', async () => {
      const { sessionId, session: row } = answered()
      const running = run(sessionId, 'now', { status: 'running', position: 2, node: store().node, queuedAt: NOW + 9 })
      const later = run(sessionId, 'a-later', { status: 'queued', queuedAt: NOW + 2 })
      const sooner = run(sessionId, 'b-sooner', { status: 'queued', queuedAt: NOW + 1 })
      const runs = [later, run(sessionId, 'gone', { status: 'removed' }), running, sooner]
      const messages = [later, running, sooner].map((one) => message(one, 0))
      messages.push(message(running, 1, { role: 'assistant' }))
      await store().commit({ sessionId, session: row, runs, messages }, SOON)
      const loaded = await store().load(sessionId)
      expect(loaded?.openRuns).toEqual([
        { run: running, userMessage: message(running, 0), nodeAlive: true },
        { run: sooner, userMessage: message(sooner, 0), nodeAlive: true },
        { run: later, userMessage: message(later, 0), nodeAlive: true },
      ])
      expect(loaded?.lastPosition).toBe(2)
      expect(loaded?.lastRun).toBeUndefined()
    })

    it('I1: says that a running run is dead exactly when its process is gone', async () => {
      const mortal = await start()
      const row = session({ status: 'processing' })
      const running = run(row.id, 'r1', { status: 'running', position: 1, node: mortal.store.node })
      await mortal.store.commit({ sessionId: row.id, session: row, runs: [running] }, SOON)
      expect((await store().load(row.id))?.openRuns).toEqual([{ run: running, nodeAlive: true }])
      await mortal.die()
      await expect
        .poll(async () => (await store().load(row.id))?.openRuns)
        .toEqual([{ run: running, nodeAlive: false }])
    })

    it('I2: finds a send by its id, whatever became of its run, and only a send', async () => {
      const { sessionId, session: row } = answered()
      const removed = run(sessionId, 'r1', { status: 'removed' })
      const messages = [message(removed, 0), message(removed, 1, { role: 'assistant' })]
      await store().commit({ sessionId, session: row, runs: [removed], messages }, SOON)
      expect(await store().findSend(sessionId, 'r1-0')).toEqual({
        run: removed,
        userMessage: messages[0],
        nodeAlive: true,
      })
      expect(await store().findSend(sessionId, 'r1-1')).toBeUndefined()
      expect(await store().findSend(randomUUID(), 'r1-0')).toBeUndefined()
    })

    it('finds a run by its id, whatever became of it, in its session only', async () => {
      const { sessionId, session: row } = answered()
      const removed = run(sessionId, 'r9', { status: 'removed' })
      await store().commit({ sessionId, session: row, runs: [removed] }, SOON)
      expect(await store().findRun(sessionId, 'r9')).toEqual(removed)
      expect(await store().findRun(sessionId, 'r8')).toBeUndefined()
      expect(await store().findRun(randomUUID(), 'r9')).toBeUndefined()
    })

    it('I10: lists sessions of exactly this owner, newest first, by pages', async () => {
      const owner = { app: 'shop', account: randomUUID(), user: 'ann' }
      const rows = [3, 1, 2].map((age) => session({ ...owner, title: `t${age}`, updatedAt: NOW - age }))
      const foreign = [
        { app: 'shop', account: owner.account },
        { ...owner, user: 'bob' },
        { ...owner, app: 'other' },
      ]
      const all = [...rows, ...foreign.map((fields) => session(fields))]
      await Promise.all(all.map((row) => store().commit({ sessionId: row.id, session: row }, SOON)))
      const page = await store().list(owner, 2)
      expect(page).toEqual([
        { id: rows[1]?.id, title: 't1', status: 'idle', updatedAt: NOW - 1 },
        { id: rows[2]?.id, title: 't2', status: 'idle', updatedAt: NOW - 2 },
      ])
      expect((await store().list(owner, 2, { before: NOW - 2 })).map(({ id }) => id)).toEqual([rows[0]?.id])
      expect(await store().list({ app: 'shop', account: owner.account }, 9)).toHaveLength(1)
    })

    it('lists sessions of one millisecond by pages, each once, the greatest id first', async () => {
      const owner = { app: 'shop', account: randomUUID(), user: 'ann' }
      const rows = Array.from({ length: 7 }, (_, n) => session({ ...owner, updatedAt: n < 5 ? NOW : NOW - 1 }))
      await Promise.all(rows.map((row) => store().commit({ sessionId: row.id, session: row }, SOON)))
      const seen: string[] = []
      for (let page = await store().list(owner, 2); page.length > 0; ) {
        seen.push(...page.map(({ id }) => id))
        page = await store().list(owner, 2, { before: page.at(-1) })
      }
      const ids = (some: typeof rows) => some.map(({ id }) => id).toSorted((a, b) => (a < b ? 1 : -1))
      expect(seen).toEqual([...ids(rows.slice(0, 5)), ...ids(rows.slice(5))])
    })

    it('removes a session with all that hangs on it, and tells other processes', async () => {
      const write = answered()
      const told: unknown[] = []
      const stop = other().store.subscribe((change) => told.push(change))
      await store().commit(write, SOON)
      expect(await store().delete(write.sessionId)).toBe(true)
      expect(await store().load(write.sessionId)).toBeUndefined()
      expect(await store().findSend(write.sessionId, 'r1-0')).toBeUndefined()
      expect(await store().history(write.sessionId, { maxMessages: 9, maxBytes: 999 })).toEqual({
        messages: [],
        hasMore: false,
      })
      expect(await store().delete(write.sessionId)).toBe(false)
      await expect.poll(() => told).toContainEqual({ kind: 'session', id: write.sessionId, removed: true })
      stop()
    })

    it('deletes after what was committed before, not before it', async () => {
      const write = answered()
      const [, deleted] = await Promise.all([store().commit(write, SOON), store().delete(write.sessionId)])
      expect([deleted, await store().load(write.sessionId)]).toEqual([true, undefined])
    })

    it('answers a ping', async () => {
      await expect(store().ping()).resolves.toBeUndefined()
    })
  })
}
