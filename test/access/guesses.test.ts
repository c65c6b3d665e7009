import { afterEach, describe, expect, it, vi } from 'vitest'
import { Guesses } from '../../src/access/guesses.ts'
import { deferred, turns } from '../support/turns.ts'
import { refusal } from './fakes.ts'

const AT_ONCE = 2
/** Key ids that wait beside those in flight. */
const WAITING = 32
/** The same of those that were guessed at. */
const GUESSED_WAITING = 8
const HERE = '203.0.113.7'

/** Hashes that the test ends one by one. */
function bench() {
  const guesses = new Guesses({ guessesPerMinute: 10, hashesAtOnce: AT_ONCE })
  const hashes: { readonly keyId: string; readonly end: (proven: boolean) => void }[] = []
  const attempt = (keyId: string, address = HERE) =>
    guesses.attempt(keyId, address, () => {
      const { promise, resolve } = deferred<boolean>()
      hashes.push({ keyId, end: resolve })
      return promise
    })
  return { guesses, attempt, hashes }
}

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('misses', () => {
  it('count with the failures of hashes, by key and address, for a minute from the first on', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let now = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const pass = (ms: number) => {
      now += ms
      vi.advanceTimersByTime(ms)
    }
    const { guesses, attempt, hashes } = bench()
    for (let count = 0; count < 9; count++) guesses.miss('a', HERE)
    const hashed = attempt('a')
    await turns()
    hashes[0]?.end(false)
    expect(await hashed).toBe(false)
    pass(20_000)
    const refused = await refusal((async () => guesses.miss('a', HERE))())
    expect(refused).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: 40_000 })
    expect((await refusal(attempt('a'))).code).toBe('rate_limit_exceeded')
    guesses.miss('a', '198.51.100.1')
    guesses.miss('b', HERE)
    pass(40_001)
    guesses.miss('a', HERE)
    expect(hashes).toHaveLength(1)
  })

  it('leave a key its turn among those that were not guessed at', async () => {
    const { guesses, attempt, hashes } = bench()
    guesses.miss('missed', HERE)
    const all = ['a', 'b', 'missed', 'c'].map((keyId) => attempt(keyId))
    for (let ended = 0; ended < all.length; ended++) {
      await turns()
      hashes[ended]?.end(true)
    }
    await Promise.all(all)
    expect(hashes.map(({ keyId }) => keyId)).toEqual(['a', 'b', 'missed', 'c'])
  })
})

describe('slow hashes', () => {
  it('are two in flight; others wait in the order in which they came', async () => {
    const { attempt, hashes } = bench()
    const all = ['a', 'b', 'c', 'd'].map((keyId) => attempt(keyId))
    await turns()
    expect(hashes.map(({ keyId }) => keyId)).toEqual(['a', 'b'])
    hashes[1]?.end(true)
    await turns()
    expect(hashes.map(({ keyId }) => keyId)).toEqual(['a', 'b', 'c'])
    hashes[0]?.end(false)
    await turns()
    expect(hashes.map(({ keyId }) => keyId)).toEqual(['a', 'b', 'c', 'd'])
    for (const { end } of hashes) end(true)
    expect(await Promise.all(all)).toEqual([false, true, true, true])
  })

  it('of guesses at one key, from any number of addresses, take one place: another key gets its turn at once', async () => {
    const { attempt, hashes } = bench()
    const guesses = Array.from({ length: 100 }, (_, nth) => attempt('guessed', `10.0.0.${nth}`))
    const outcomes = Promise.allSettled(guesses)
    const other = attempt('other')
    await turns()
    expect(hashes.map(({ keyId }) => keyId)).toEqual(['guessed', 'other'])
    for (const { keyId, end } of hashes) end(keyId === 'other')
    expect(await other).toBe(true)
    expect((await outcomes).filter(({ status }) => status === 'rejected')).toHaveLength(99)
  })

  it('beyond a full line are shed as overloaded, with when to come back, and nothing leaks from it', async () => {
    const { attempt, hashes } = bench()
    const placed = Array.from({ length: AT_ONCE + WAITING }, (_, nth) => attempt(`k${nth}`))
    const refused = await refusal(attempt('late'))
    expect(refused).toMatchObject({ code: 'overloaded', retryable: true })
    expect(refused.retryAfterMs).toBeGreaterThan(0)
    for (let ended = 0; ended < placed.length; ended++) {
      await turns()
      expect(hashes.length).toBeLessThanOrEqual(ended + AT_ONCE)
      hashes[ended]?.end(true)
    }
    await Promise.all(placed)
    const late = attempt('late')
    await turns()
    hashes.at(-1)?.end(true)
    expect(await late).toBe(true)
  })

  it('of keys that were guessed at leave one to all others, wait behind them, and only few of them', async () => {
    const { attempt, hashes } = bench()
    const ids = Array.from({ length: 12 }, (_, nth) => `known${nth}`)
    for (const id of ids) {
      const guess = attempt(id)
      await turns()
      hashes.at(-1)?.end(false)
      expect(await guess).toBe(false)
    }
    const before = hashes.length
    const again = ids.map((id) => attempt(id))
    const outcomes = Promise.allSettled(again)
    const fresh = ['a', 'b', 'c'].map((id) => attempt(id))
    await turns()
    expect((await refusal(attempt('known11'))).code).toBe('overloaded')
    for (let at = before; at < hashes.length; at++) {
      hashes[at]?.end(true)
      await turns()
    }
    expect(hashes.slice(before).map(({ keyId }) => keyId)).toEqual([
      'known0',
      'a',
      'b',
      'c',
      ...ids.slice(1, AT_ONCE + GUESSED_WAITING),
    ])
    expect(await Promise.all(fresh)).toEqual([true, true, true])
    const refused = (await outcomes).filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(ids.length - AT_ONCE - GUESSED_WAITING)
  })

  it('of keys that were guessed at are done where there is one at a time, too', async () => {
    const guesses = new Guesses({ guessesPerMinute: 10, hashesAtOnce: 1 })
    expect(await guesses.attempt('a', HERE, async () => false)).toBe(false)
    expect(await guesses.attempt('a', HERE, async () => true)).toBe(true)
  })

  it('are not waited for by a guess at a key whose turn has not come: it is told to come back before its row is read', async () => {
    const { guesses, attempt, hashes } = bench()
    guesses.admit('a')
    const held = attempt('a')
    expect((await refusal((async () => guesses.admit('a'))())).code).toBe('overloaded')
    guesses.admit('b')
    hashes[0]?.end(true)
    expect(await held).toBe(true)
    guesses.admit('a')
  })

  it('that fail give their turn back', async () => {
    const guesses = new Guesses({ guessesPerMinute: 10, hashesAtOnce: 1 })
    const broken = guesses.attempt('a', HERE, () => Promise.reject(new Error('no memory')))
    const next = guesses.attempt('b', HERE, async () => true)
    await expect(broken).rejects.toThrow('no memory')
    expect(await next).toBe(true)
    expect(await guesses.attempt('a', HERE, async () => true)).toBe(true)
  })
})
