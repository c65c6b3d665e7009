import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreFault } from '../../src/storage/faults.ts'
import type { GroupCommit } from '../../src/storage/group-commit.ts'
import { answered, message, run } from '../contracts/store-rows.ts'
import { code, manual, SOON, titled, until } from './manual-commit.ts'

describe('GroupCommit: what goes with a flush', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('has one flush on, and takes all that came meanwhile with the next', async () => {
    const { commits, flushes, flush, telemetry } = manual()
    const first = commits.commit(answered(), SOON)
    const one = await flush(0)
    const later = Array.from({ length: 30 }, () => commits.commit(answered(), SOON))
    expect(telemetry.read('store_queue')).toBe(31)
    one.done()
    await first
    const two = await flush(1)
    expect([one.writes.length, two.writes.length, flushes.length]).toEqual([1, 30, 2])
    two.done()
    await Promise.all(later)
    await until(() => telemetry.values('store_flush_seconds').length === 2)
    expect(telemetry.values('store_flush_writes')).toEqual([1, 30])
    expect([telemetry.read('store_queue'), telemetry.read('store_up')]).toEqual([0, 1])
  })

  it('I2: resolves no commit before the store has answered', async () => {
    const { commits, flush } = manual()
    const settled = vi.fn<() => void>()
    const commit = commits.commit(answered(), SOON).then(settled)
    const one = await flush(0)
    expect(settled).not.toHaveBeenCalled()
    one.done()
    await commit
  })

  it('merges the writes of one session that meet', async () => {
    const { commits, flush } = manual()
    const write = answered()
    const [ended] = write.runs
    if (!ended) throw new Error('a run')
    const all = [
      commits.commit(titled(write, 'old'), SOON),
      commits.commit(titled(write, 'new'), SOON),
      commits.commit({ sessionId: write.sessionId, messages: [message(ended, 1, { content: 'longer' })] }, SOON),
    ]
    const one = await flush(0)
    const [merged, ...others] = one.writes
    expect(others).toEqual([])
    expect(merged?.session).toMatchObject({ title: 'new' })
    expect([...(merged?.messages.keys() ?? [])]).toEqual(['r1-0', 'r1-1'])
    expect(JSON.parse(merged?.messages.get('r1-1') ?? '')).toMatchObject({ content: 'longer' })
    // The run's own fence counts, not the weaker guard of the last write, which has messages only.
    expect(JSON.parse(merged?.runs.get('r1') ?? '')).toMatchObject({ fence: 1 })
    expect(merged?.guards.size).toBe(0)
    one.done()
    await Promise.all(all)
  })

  it('gives a write that supersedes a statement without other writes of its session, in order', async () => {
    const { commits, flush } = manual()
    const { sessionId, session } = answered()
    const other = answered()
    const all = [
      commits.commit({ sessionId, session }, SOON),
      commits.commit({ sessionId, supersedeFromRun: 'r1' }, SOON),
      commits.commit({ sessionId, runs: [run(sessionId, 'r2')] }, SOON),
      commits.commit(other, SOON),
    ]
    const seen: string[][] = []
    for (const index of [0, 1, 2]) {
      const { writes, done } = await flush(index)
      seen.push(
        writes.map((write) =>
          write.sessionId === other.sessionId
            ? 'other'
            : (write.supersede && 'supersede') || [...write.runs.keys()].join() || 'session',
        ),
      )
      done()
    }
    await Promise.all(all)
    expect(seen).toEqual([['session', 'other'], ['supersede'], ['r2']])
  })

  it('bounds the rows and the size of a flush, and keeps the order of a session over the cut', async () => {
    const { commits, flush } = manual({ flushRows: 8 })
    const [a, b] = [answered(), answered()]
    // Four rows each: two fit.
    const all = [a, b, titled(a, 'again'), titled(b, 'again')].map((write) => commits.commit(write, SOON))
    for (const index of [0, 1]) {
      const { writes, done } = await flush(index)
      expect(writes.map(({ sessionId }) => sessionId)).toEqual([a.sessionId, b.sessionId])
      done()
    }
    await Promise.all(all)
  })

  it('lets a write that may wait gather others of its kind, until its time is over', async () => {
    const { commits, flushes, flush } = manual()
    const patient = [answered(), answered()].map((write) => commits.commit(write, { ...SOON, patienceMs: 50 }))
    await vi.advanceTimersByTimeAsync(49)
    await new Promise((resolve) => setImmediate(resolve))
    expect(flushes).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    const one = await flush(0)
    expect(one.writes).toHaveLength(2)
    one.done()
    await Promise.all(patient)
  })

  it('takes those that may wait along with the first that does not, whoever asks for it', async () => {
    const hurries = [
      (commits: GroupCommit) => commits.commit(answered(), SOON),
      (commits: GroupCommit, sessionId: string) => commits.settled(sessionId),
      (commits: GroupCommit) => commits.close(1000),
    ]
    for (const [nth, hurry] of hurries.entries()) {
      const { commits, flush } = manual()
      const write = answered()
      const patient = commits.commit(write, { ...SOON, patienceMs: 50 })
      const hurried = hurry(commits, write.sessionId)
      const one = await flush(0)
      expect(one.writes).toHaveLength(nth === 0 ? 2 : 1)
      one.done()
      await Promise.all([patient, hurried])
    }
  })

  it('lets small writes go with one that is too large for a flush, and not behind several such', async () => {
    const { commits, flush } = manual({ flushBytes: 10_000 })
    const large = [answered(), answered()].map((write) => titled(write, 'x'.repeat(20_000)))
    const small = [answered(), answered()]
    const all = [...large, ...small].map((write) => commits.commit(write, SOON))
    const [first, second] = [await flush(0), large[1]]
    expect(first.writes.map(({ sessionId }) => sessionId)).toEqual(
      [large[0], ...small].map((write) => write?.sessionId),
    )
    first.done()
    const last = await flush(1)
    expect(last.writes.map(({ sessionId }) => sessionId)).toEqual([second?.sessionId])
    last.done()
    await Promise.all(all)
  })

  it('finds the guilty write of a batch by halves, and stores the others', async () => {
    const { commits, flushes } = manual()
    const writes = Array.from({ length: 8 }, () => answered())
    const all = Promise.all(writes.map((write) => code(commits.commit(write, SOON))))
    const guilty = writes[5]?.sessionId
    let answeredFlushes = 0
    while (answeredFlushes < 7) {
      await until(() => flushes.length > answeredFlushes)
      const one = flushes[answeredFlushes++]
      if (one?.writes.some(({ sessionId }) => sessionId === guilty)) one.fail(new StoreFault('data', 'postgres 22021'))
      else one?.done()
    }
    expect(await all).toEqual(writes.map(({ sessionId }) => (sessionId === guilty ? 'invalid_value' : 'stored')))
    expect(flushes.map((flush) => flush.writes.length)).toEqual([8, 4, 4, 2, 1, 1, 2])
  })

  it('tries the writes of a fenced session one by one, and refuses only those', async () => {
    const { commits, flush } = manual()
    const write = answered()
    const all = [
      commits.commit(write, SOON),
      commits.commit(titled(write, 'x'), SOON),
      commits.commit(answered(), SOON),
    ].map(code)
    ;(await flush(0)).done([write.sessionId])
    ;(await flush(1)).done()
    ;(await flush(2)).done([write.sessionId])
    expect(await Promise.all(all)).toEqual(['stored', 'conflict', 'stored'])
  })

  it('refuses what JSON cannot say', async () => {
    const { commits } = manual()
    const write = answered()
    const blocks = { provider: 'p', content: [1n] }
    const commit = { ...write, messages: write.messages.map((row) => ({ ...row, blocks })) }
    expect(await code(commits.commit(commit, SOON))).toBe('invalid_value')
  })
})
