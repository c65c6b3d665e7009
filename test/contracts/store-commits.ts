import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { answered, message, run, session } from './store-rows.ts'
import { type MakeStore, openSubject, refusal, SOON } from './store-subject.ts'

const NUL = String.fromCharCode(0)
const LONE_SURROGATE = '\uD83E'

export function commitRules(make: MakeStore): void {
  describe('commits', () => {
    const { store } = openSubject(make)
    const codes = async (commits: readonly Promise<void>[]) => {
      const settled = await Promise.allSettled(commits)
      return settled.map((one) => (one.status === 'rejected' ? one.reason.code : 'stored'))
    }

    it('keep their order within a session: the last row of an id wins', async () => {
      const { sessionId, session: row, runs } = answered()
      const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`)
      const commits = texts.map((content, index) => {
        const messages = runs.map((one) => message(one, 0, { content }))
        return store().commit({ sessionId, session: { ...row, title: `t${index}` }, runs, messages }, SOON)
      })
      await Promise.all(commits)
      const page = await store().history(sessionId, { maxMessages: 9, maxBytes: 999 })
      expect(page.messages.map(({ content }) => content)).toEqual(['text 19'])
      expect((await store().load(sessionId))?.session.title).toBe('t19')
    })

    it('leave a session as it was where they do not name it', async () => {
      const write = answered({ title: 'kept' })
      await store().commit(write, SOON)
      await store().commit({ sessionId: write.sessionId, runs: write.runs }, SOON)
      expect((await store().load(write.sessionId))?.session).toEqual(write.session)
    })

    it('can be given twice: the second time changes nothing', async () => {
      const write = answered()
      await store().commit(write, SOON)
      await store().commit(write, SOON)
      expect((await store().history(write.sessionId, { maxMessages: 9, maxBytes: 999 })).messages).toEqual(
        write.messages,
      )
    })

    it('refuse a second running run of a session, and store its neighbours of the same moment', async () => {
      const guilty = answered()
      await store().commit({ ...guilty, runs: [run(guilty.sessionId, 'r1', { status: 'running', position: 1 })] }, SOON)
      const second = run(guilty.sessionId, 'r2', { status: 'running', position: 2 })
      const neighbours = Array.from({ length: 8 }, () => answered())
      const commits = [
        ...neighbours.slice(0, 4).map((write) => store().commit(write, SOON)),
        store().commit({ sessionId: guilty.sessionId, runs: [second], messages: [message(second, 0)] }, SOON),
        ...neighbours.slice(4).map((write) => store().commit(write, SOON)),
      ]
      const stored = Array<string>(4).fill('stored')
      expect(await codes(commits)).toEqual([...stored, 'overloaded', ...stored])
      const loaded = await Promise.all(neighbours.map(({ sessionId }) => store().load(sessionId)))
      expect(loaded.map((one) => one?.session)).toEqual(neighbours.map((write) => write.session))
      expect(await store().findSend(guilty.sessionId, 'r2-0')).toBeUndefined()
    })

    it('refuse a position that another run has as a conflict, and store the neighbours of the same moment', async () => {
      const guilty = answered()
      await store().commit(guilty, SOON)
      const second = run(guilty.sessionId, 'r2', { position: 1 })
      const neighbours = Array.from({ length: 6 }, () => answered())
      const commits = [
        ...neighbours.slice(0, 3).map((write) => store().commit(write, SOON)),
        store().commit({ sessionId: guilty.sessionId, runs: [second], messages: [message(second, 0)] }, SOON),
        store().commit({ sessionId: guilty.sessionId, runs: [run(guilty.sessionId, 'r3', { position: 2 })] }, SOON),
        ...neighbours.slice(3).map((write) => store().commit(write, SOON)),
      ]
      const stored = Array<string>(3).fill('stored')
      expect(await codes(commits)).toEqual([...stored, 'conflict', 'stored', ...stored])
      const loaded = await Promise.all(neighbours.map(({ sessionId }) => store().load(sessionId)))
      expect(loaded.map((one) => one?.session)).toEqual(neighbours.map((write) => write.session))
      expect(await store().load(guilty.sessionId)).toMatchObject({ lastPosition: 2, openRuns: [] })
      expect(await store().findRun(guilty.sessionId, 'r2')).toBeUndefined()
    })

    it('let a run start in the write that ends the one before', async () => {
      const { sessionId, session: row } = answered()
      const first = run(sessionId, 'r1', { status: 'running', position: 1 })
      await store().commit({ sessionId, session: row, runs: [first] }, SOON)
      const second = run(sessionId, 'r2', { status: 'running', position: 2 })
      await store().commit({ sessionId, runs: [{ ...first, status: 'finished' }, second] }, SOON)
      expect(await store().load(sessionId)).toMatchObject({ openRuns: [{ run: { id: 'r2' } }], lastRun: { id: 'r1' } })
    })

    it('refuse only the guilty one of a session whose writes meet in one moment', async () => {
      const write = answered()
      const { sessionId } = write
      const commits = [
        store().commit(write, SOON),
        store().commit({ sessionId, runs: [run(sessionId, 'r2', { status: 'running' })] }, SOON),
        store().commit({ sessionId, runs: [run(sessionId, 'r3', { status: 'running' })] }, SOON),
        store().commit({ sessionId, runs: [run(sessionId, 'r4', { position: 4 })] }, SOON),
      ]
      expect(await codes(commits)).toEqual(['stored', 'stored', 'overloaded', 'stored'])
      expect(await store().load(sessionId)).toMatchObject({ openRuns: [{ run: { id: 'r2' } }], lastPosition: 4 })
    })

    it('I2: refuse a message whose id another run has, whole', async () => {
      const write = answered()
      await store().commit(write, SOON)
      const second = run(write.sessionId, 'r2', { status: 'queued' })
      const commit = { sessionId: write.sessionId, runs: [second], messages: [message(second, 0, { id: 'r1-0' })] }
      await expect(store().commit(commit, SOON)).rejects.toMatchObject(refusal('conflict'))
      expect((await store().load(write.sessionId))?.openRuns).toEqual([])
      expect((await store().findSend(write.sessionId, 'r1-0'))?.run.id).toBe('r1')
    })

    it('refuse rows of a session or run that is not there', async () => {
      const { sessionId, session: row } = answered()
      const stray = run(sessionId, 'r1')
      await expect(store().commit({ sessionId, runs: [stray] }, SOON)).rejects.toMatchObject(refusal('conflict'))
      const commit = { sessionId, session: row, messages: [message(stray, 0)] }
      await expect(store().commit(commit, SOON)).rejects.toMatchObject(refusal('conflict'))
      expect(await store().load(sessionId)).toBeUndefined()
    })

    it.each([
      ['NUL in a text', { content: `a${NUL}b` }],
      ['a lone surrogate in a text', { content: `a${LONE_SURROGATE}b` }],
      ['NUL in JSON', { toolCalls: [{ id: 'c', name: 'n', arguments: NUL }] }],
      ['a lone surrogate in JSON', { blocks: { provider: 'p', content: [{ deep: [LONE_SURROGATE] }] } }],
    ])('refuse %s for its session alone', async (_, fields) => {
      const [before, guilty, after] = [answered(), answered(), answered()]
      const bad = { ...guilty, messages: guilty.runs.map((one) => message(one, 0, fields)) }
      const commits = [before, bad, after].map((write) => store().commit(write, SOON))
      expect(await codes(commits)).toEqual(['stored', 'invalid_value', 'stored'])
      expect(await store().load(guilty.sessionId)).toBeUndefined()
    })

    it('refuse a session id that is none', async () => {
      const row = session({ id: 'not-a-uuid' })
      await expect(store().commit({ sessionId: row.id, session: row }, SOON)).rejects.toMatchObject(
        refusal('invalid_value'),
      )
    })

    it.each(['account', 'user', 'app'] as const)('I10: never give a session to another %s', async (field) => {
      const write = answered({ account: 'acme', user: 'ann', title: 'ours' })
      await store().commit(write, SOON)
      const stolen = {
        sessionId: write.sessionId,
        session: { ...write.session, [field]: randomUUID(), title: 'theirs' },
      }
      await expect(store().commit(stolen, SOON)).rejects.toMatchObject(refusal('conflict'))
      expect((await store().load(write.sessionId))?.session).toEqual(write.session)
    })
  })
}
