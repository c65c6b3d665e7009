import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreFault } from '../../src/storage/faults.ts'
import { GROUP_COMMIT_LIMITS } from '../../src/storage/group-commit.ts'
import { answered } from '../contracts/store-rows.ts'
import { code, manual, NEVER, SOON, titled, until } from './manual-commit.ts'

describe('GroupCommit: waiting and giving up', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('keeps a batch while the store is away, tries it again later, and takes new writes with it', async () => {
    const { commits, flush, flushes, telemetry } = manual({ retryMs: 50, maxRetryMs: 100 })
    const first = commits.commit(answered(), SOON)
    ;(await flush(0)).fail(new StoreFault('away', 'connection ECONNREFUSED'))
    await until(() => telemetry.read('store_up') === 0)
    expect(commits.failing).toBe(true)
    const second = commits.commit(answered(), SOON)
    await vi.advanceTimersByTimeAsync(49)
    expect(flushes).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    const again = await flush(1)
    expect(again.writes).toHaveLength(2)
    again.fail(new StoreFault('timeout', 'no answer'))
    await until(() => vi.getTimerCount() === 3)
    await vi.advanceTimersByTimeAsync(100)
    ;(await flush(2)).done()
    await Promise.all([first, second])
    await until(() => !commits.failing)
    expect(telemetry.read('store_up')).toBe(1)
    expect(telemetry.events).toEqual(['store away', 'store back'])
  })

  it('refuses a write once it has waited as long as it may, and does not give it to the store again', async () => {
    const { commits, flush } = manual()
    const [bounded, kept] = [answered(), answered()]
    const refused = code(commits.commit(bounded, { giveUpAfterMs: 20 }))
    const saved = commits.commit(kept, NEVER)
    const one = await flush(0)
    expect(one.writes).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(20)
    expect(await refused).toBe('store_unavailable')
    one.fail(new StoreFault('away', 'connection lost'))
    await until(() => vi.getTimerCount() === 1)
    await vi.advanceTimersByTimeAsync(GROUP_COMMIT_LIMITS.maxRetryMs)
    const two = await flush(1)
    expect(two.writes.map(({ sessionId }) => sessionId)).toEqual([kept.sessionId])
    two.done()
    await saved
  })

  it('is failing until the store takes writes again, also when all that waited was given up', async () => {
    const { commits, flush, probes, telemetry } = manual()
    const refused = code(commits.commit(answered(), { giveUpAfterMs: 20 }))
    ;(await flush(0)).fail(new StoreFault('away', 'postgres 25006', { code: '25006' }))
    await until(() => commits.failing)
    for (const probe of [0, 1]) {
      await vi.advanceTimersByTimeAsync(GROUP_COMMIT_LIMITS.maxRetryMs)
      expect([commits.failing, telemetry.read('store_up')]).toEqual([true, 0])
      probes[probe]?.fail(new StoreFault('away', 'postgres 25006', { code: '25006' }))
      await until(() => vi.getTimerCount() === 1)
    }
    expect(await refused).toBe('store_unavailable')
    await vi.advanceTimersByTimeAsync(GROUP_COMMIT_LIMITS.maxRetryMs)
    probes[2]?.done()
    await until(() => !commits.failing)
    expect(telemetry.events).toEqual(['store away', 'store back'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('I7: refuses at once what is above the bound, keeps what must never be given up, and has room again later', async () => {
    const { commits, flush } = manual({ queuedWrites: 2 })
    const waiting = [commits.commit(answered(), SOON), commits.commit(answered(), SOON)]
    await expect(commits.commit(answered(), SOON)).rejects.toMatchObject({ retryAfterMs: 1000 })
    expect(await code(commits.commit(answered(), SOON))).toBe('store_unavailable')
    const promised = commits.commit(answered(), NEVER)
    const one = await flush(0)
    expect(one.writes).toHaveLength(3)
    one.done()
    await Promise.all([...waiting, promised])
    const next = commits.commit(answered(), SOON)
    ;(await flush(1)).done()
    await next
  })

  it('I7: bounds the bytes that wait, too', async () => {
    const { commits, flush } = manual({ queuedBytes: 3000 })
    const waiting = commits.commit(answered({ title: 'x'.repeat(2000) }), SOON)
    expect(await code(commits.commit(answered({ title: 'x'.repeat(2000) }), SOON))).toBe('store_unavailable')
    ;(await flush(0)).done()
    await waiting
  })

  it('I7: joins the checkpoints of a session that pile up while the store is away', async () => {
    const { commits, flush, telemetry } = manual()
    const write = answered()
    const first = commits.commit(write, NEVER)
    ;(await flush(0)).fail(new StoreFault('away', 'connection lost'))
    await until(() => telemetry.read('store_up') === 0)
    const later = Array.from({ length: 50 }, (_, index) => commits.commit(titled(write, `t${index}`), NEVER))
    expect(telemetry.read('store_queue')).toBe(1)
    await vi.advanceTimersByTimeAsync(GROUP_COMMIT_LIMITS.maxRetryMs)
    const again = await flush(1)
    expect(again.writes[0]?.session).toMatchObject({ title: 't49' })
    again.done()
    await Promise.all([first, ...later])
  })

  it('makes the next flush smaller after one that took too long', async () => {
    const { commits, flush } = manual({ flushRows: 16, retryMs: 1, maxRetryMs: 1 })
    const all = Array.from({ length: 4 }, () => commits.commit(answered(), SOON))
    const sizes: number[] = []
    const late = await flush(0)
    late.fail(new StoreFault('timeout', 'no answer'))
    await until(() => vi.getTimerCount() === all.length + 1)
    await vi.advanceTimersByTimeAsync(1)
    sizes.push(late.writes.length)
    for (const index of [1, 2]) {
      const { writes, done } = await flush(index)
      sizes.push(writes.length)
      done()
    }
    await Promise.all(all)
    expect(sizes).toEqual([4, 2, 2])
  })

  it('reports a fault that nobody understands, and goes on', async () => {
    const { commits, flush } = manual()
    const guilty = code(commits.commit(answered(), NEVER))
    ;(await flush(0)).fail(new StoreFault('unknown', 'postgres XX000'))
    expect(await guilty).toBe('internal_error')
    const next = commits.commit(answered(), SOON)
    ;(await flush(1)).done()
    await next
  })

  it('I8: saves what is queued when it closes, then refuses', async () => {
    const { commits, flush } = manual()
    const commit = commits.commit(answered(), NEVER)
    const closed = commits.close(1000)
    expect(await code(commits.commit(answered(), NEVER))).toBe('store_unavailable')
    ;(await flush(0)).done()
    await Promise.all([commit, closed])
  })

  it('I12: closes within its bound when the store is away', async () => {
    const { commits, flush } = manual()
    const commit = code(commits.commit(answered(), NEVER))
    ;(await flush(0)).fail(new StoreFault('away', 'connection lost'))
    const closed = commits.close(1000)
    await vi.advanceTimersByTimeAsync(1000)
    await closed
    expect(await commit).toBe('store_unavailable')
  })
})
