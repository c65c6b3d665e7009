import { describe, expect, it } from 'vitest'
import { Batcher, type Storm } from '../../src/storage/batcher.ts'
import { collectGarbage } from '../support/collect-garbage.ts'

/** A fetch that answers when it is told to. */
function manual(storm?: Storm) {
  const calls: { ids: readonly string[]; answer: (found?: Error) => void }[] = []
  const batcher = new Batcher<string>((ids) => {
    return new Promise((resolve, reject) => {
      const answer = (error?: Error) =>
        error ? reject(error) : resolve(new Map(ids.filter((id) => id !== 'no').map((id) => [id, `the ${id}`])))
      calls.push({ ids, answer })
    })
  }, storm)
  const call = async (index: number) => {
    await expect.poll(() => calls.length).toBeGreaterThan(index)
    const found = calls[index]
    if (!found) throw new Error('no such call')
    return found
  }
  return { batcher, calls, call }
}

describe('Batcher', () => {
  it('joins the look-ups of one loop turn, each id once', async () => {
    const { batcher, calls, call } = manual()
    const all = Promise.all(['a', 'b', 'a', 'no'].map((id) => batcher.get(id)))
    const first = await call(0)
    expect(first.ids).toEqual(['a', 'b', 'no'])
    first.answer()
    expect(await all).toEqual(['the a', 'the b', 'the a', undefined])
    expect(calls).toHaveLength(1)
  })

  it('joins all that comes while a fetch is on', async () => {
    const { batcher, calls, call } = manual()
    const first = batcher.get('a')
    const one = await call(0)
    const later = [batcher.get('a'), batcher.get('b')]
    one.answer()
    expect(await first).toBe('the a')
    const two = await call(1)
    expect(two.ids).toEqual(['a', 'b'])
    two.answer()
    expect(await Promise.all(later)).toEqual(['the a', 'the b'])
    expect(calls).toHaveLength(2)
  })

  it('gathers in a storm: what comes one by one goes together', async () => {
    const { batcher, calls, call } = manual({ from: 1, gatherMs: 50, lastsMs: 60_000 })
    const first = batcher.get('a')
    const one = await call(0)
    one.answer()
    await first
    const later = []
    for (const id of ['b', 'c', 'd']) {
      later.push(batcher.get(id))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const two = await call(1)
    expect(two.ids).toEqual(['b', 'c', 'd'])
    two.answer()
    expect(await Promise.all(later)).toEqual(['the b', 'the c', 'the d'])
    expect(calls).toHaveLength(2)
  })

  it.each([
    ['a fetch of fewer than a storm has', { from: 2, gatherMs: 60_000, lastsMs: 60_000 }],
    ['a storm that is over', { from: 1, gatherMs: 60_000, lastsMs: 0 }],
  ])('waits for nobody after %s', async (_, storm) => {
    const { batcher, calls, call } = manual(storm)
    for (const [nth, id] of ['a', 'b'].entries()) {
      const got = batcher.get(id)
      ;(await call(nth)).answer()
      expect(await got).toBe(`the ${id}`)
    }
    expect(calls.map(({ ids }) => ids)).toEqual([['a'], ['b']])
  })

  it('rejects all of a fetch that fails, and goes on', async () => {
    const { batcher, call } = manual()
    const failed = Promise.allSettled([batcher.get('a'), batcher.get('b')])
    const one = await call(0)
    one.answer(new Error('away'))
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const again = batcher.get('a')
    const two = await call(1)
    two.answer()
    expect(await again).toBe('the a')
  })

  it('keeps nothing of what it has answered', async () => {
    const batcher = new Batcher<object>(async (ids) => new Map(ids.map((id) => [id, {}])))
    const found = await batcher.get('a').then((row) => row && new WeakRef(row))
    await collectGarbage()
    expect(found).toBeInstanceOf(WeakRef)
    expect(found?.deref()).toBeUndefined()
    expect(await batcher.get('b')).toEqual({})
  })

  it('bounds the ids of one fetch', async () => {
    const { batcher, calls, call } = manual()
    const all = Promise.all(Array.from({ length: 1200 }, (_, index) => batcher.get(`${index}`)))
    for (const index of [0, 1, 2]) (await call(index)).answer()
    await all
    expect(calls.map(({ ids }) => ids.length)).toEqual([500, 500, 200])
  })
})
