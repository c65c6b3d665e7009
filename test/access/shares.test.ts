import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ANONYMOUS } from '../../src/access/principals.ts'
import type { Principal } from '../../src/ports/access.ts'
import { openGate, refusal, testApp } from './fakes.ts'

const OVER = expect.objectContaining({ code: 'rate_limit_exceeded', retryAfterMs: expect.any(Number) })
const alpha = testApp('alpha')
const beta = testApp('beta')
const byKey = (keyId: string): Principal => ({ kind: 'key', keyId, account: 'acme', scopes: [], apps: [] })
const here = { address: '203.0.113.7', forwarded: false }
const DAY = 86_400_000
/** Noon. */
const NOON = Date.UTC(2026, 5, 1, 12)

describe('connections', () => {
  it('of one key are bounded, those of its tickets with them, until one leaves', () => {
    const { access } = openGate({ connectionsPerKey: 2 })
    access.admitGuest({ principal: byKey('a'), app: alpha })
    access.admitGuest({ principal: { ...byKey('a'), kind: 'ticket' }, app: beta })
    expect(() => access.admitGuest({ principal: byKey('a'), app: alpha })).toThrow(OVER)
    access.admitGuest({ principal: byKey('b'), app: alpha })
    access.leaveGuest({ principal: byKey('a'), app: alpha })
    access.admitGuest({ principal: byKey('a'), app: alpha })
    expect(() => access.admitGuest({ principal: byKey('a'), app: alpha })).toThrow(OVER)
  })

  it('of one App are bounded, by its definition where it says so; what is refused takes no place of the key', () => {
    const { access } = openGate({ connectionsPerApp: 2, connectionsPerKey: 3 })
    const small = testApp('small', { connections: 1 })
    access.admitGuest({ principal: byKey('a'), app: small })
    for (let count = 0; count < 10; count++)
      expect(() => access.admitGuest({ principal: byKey('a'), app: small })).toThrow(OVER)
    access.admitGuest({ principal: byKey('a'), app: alpha })
    access.admitGuest({ principal: ANONYMOUS, app: alpha })
    expect(() => access.admitGuest({ principal: ANONYMOUS, app: alpha })).toThrow(OVER)
  })
})

describe('answers under way', () => {
  it('of one App are bounded, by its definition where it says so', async () => {
    const { access } = openGate({ appRunsAtOnce: 2 })
    const small = testApp('small', { runsAtOnce: 1 })
    const leave = await access.takeRun({ app: 'small', account: 'acme' }, small)
    await expect(access.takeRun({ app: 'small', account: 'other' }, small)).rejects.toThrow(OVER)
    await access.takeRun({ app: 'alpha' }, alpha)
    await access.takeRun({ app: 'alpha' }, alpha)
    await expect(access.takeRun({ app: 'alpha' }, alpha)).rejects.toThrow(OVER)
    leave()
    await access.takeRun({ app: 'small', account: 'other' }, small)
  })

  it('of one account are bounded over all of its Apps; what is refused takes no place', async () => {
    const { access } = openGate({ accountRunsAtOnce: 2, appRunsAtOnce: 10 })
    const leave = await access.takeRun({ app: 'alpha', account: 'acme' }, alpha)
    await access.takeRun({ app: 'beta', account: 'acme' }, beta)
    for (let count = 0; count < 20; count++)
      await expect(access.takeRun({ app: 'alpha', account: 'acme' }, alpha)).rejects.toThrow(OVER)
    await access.takeRun({ app: 'alpha', account: 'other' }, alpha)
    await access.takeRun({ app: 'alpha' }, alpha)
    leave()
    await access.takeRun({ app: 'alpha', account: 'acme' }, alpha)
  })
})

describe('tokens of an App a day', () => {
  const thrifty = testApp('alpha', { tokensPerDay: 100 })

  beforeEach(() => {
    vi.useFakeTimers()
    vi.setSystemTime(NOON)
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  function open(stored: number, settings = {}) {
    const gate = openGate(settings)
    gate.store.tokens.set('alpha', stored)
    const reads = () => gate.store.asked.filter((what) => what.startsWith('tokensSince'))
    return { ...gate, reads, admit: () => gate.access.admitRun(byKey('a'), here, thrifty) }
  }

  it('count what is stored since midnight and what ended since, and come back at midnight UTC', async () => {
    const { access, admit, reads, store } = open(60)
    await admit()
    expect(reads()).toEqual([`tokensSince alpha ${NOON - DAY / 2}`])
    access.spent('alpha', 39)
    await admit()
    access.spent('alpha', 1)
    const refused = await refusal(admit())
    expect(refused).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: DAY / 2 })
    await expect(access.takeRun({ app: 'alpha' }, thrifty)).rejects.toThrow(OVER)
    store.tokens.set('alpha', 0)
    vi.setSystemTime(NOON + DAY / 2 - 1)
    expect((await refusal(admit())).retryAfterMs).toBe(1)
    vi.setSystemTime(NOON + DAY / 2)
    await admit()
  })

  it('are read once for all who ask at once, and again after half a minute for what other processes spent', async () => {
    const { admit, reads, store } = open(0)
    await Promise.all([admit(), admit(), admit()])
    expect(reads()).toHaveLength(1)
    store.tokens.set('alpha', 100)
    await admit()
    vi.setSystemTime(NOON + 30_000)
    await admit()
    await vi.advanceTimersByTimeAsync(0)
    await refusal(admit())
    expect(reads()).toHaveLength(2)
  })

  it('do not come back with sessions that are deleted', async () => {
    const { admit, store } = open(100)
    await refusal(admit())
    store.tokens.set('alpha', 0)
    vi.setSystemTime(NOON + 30_000)
    await refusal(admit())
    await vi.advanceTimersByTimeAsync(0)
    expect((await refusal(admit())).code).toBe('rate_limit_exceeded')
  })

  it('cannot be told while the store is away at the first time; later the figure in memory counts', async () => {
    const { access, admit, store } = open(0)
    store.down = true
    expect((await refusal(admit())).code).toBe('store_unavailable')
    store.down = false
    await admit()
    store.down = true
    vi.setSystemTime(NOON + 60_000)
    access.spent('alpha', 100)
    expect((await refusal(access.takeRun({ app: 'alpha' }, thrifty))).code).toBe('rate_limit_exceeded')
  })

  it('have no bound unless one is set; then all Apps have it, and each its own count', async () => {
    const { access, reads } = open(1e9)
    await access.takeRun({ app: 'alpha' }, alpha)
    expect(reads()).toEqual([])
    const bounded = open(10, { appTokensPerDay: 10 })
    await expect(bounded.access.takeRun({ app: 'alpha' }, alpha)).rejects.toThrow(OVER)
    await bounded.access.takeRun({ app: 'beta' }, beta)
  })
})
