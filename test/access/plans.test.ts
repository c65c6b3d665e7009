import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ANONYMOUS } from '../../src/access/principals.ts'
import type { Principal } from '../../src/ports/access.ts'
import { openGate, refusal, testApp } from './fakes.ts'

const PLANS = new Map([
  ['free', { perHour: 100, perMinute: 10 }],
  ['pro', { perHour: 10_000, perMinute: 500 }],
])
const acme: Principal = { kind: 'key', keyId: 'k', account: 'acme', scopes: [], apps: [] }
const other: Principal = { ...acme, keyId: 'o', account: 'other' }
const here = { address: '203.0.113.7', forwarded: false }
const MINUTE = 60_000
const alpha = testApp('alpha')

function open(defaultPlan = 'none', plan?: string) {
  const gate = openGate({ plans: PLANS, defaultPlan })
  gate.store.plans.set('acme', plan)
  return gate
}

async function charge(gate: ReturnType<typeof open>, times: number, who = acme): Promise<void> {
  for (let count = 0; count < times; count++) await gate.access.charge(who)
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('an account with a plan', () => {
  it('is refused after its share of the minute, told when to come back, and let in again then', async () => {
    const gate = open('none', 'free')
    await charge(gate, 10)
    const refused = await refusal(gate.access.charge(acme))
    expect(refused).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: expect.any(Number) })
    expect(refused.retryAfterMs).toBeLessThanOrEqual(MINUTE)
    await vi.advanceTimersByTimeAsync(MINUTE + 1)
    await charge(gate, 10)
    await refusal(gate.access.charge(acme))
    await gate.access.close()
  })

  it('is refused after its share of the hour; what the minute refused did not count there', async () => {
    const gate = open('none', 'free')
    for (let minute = 0; minute < 10; minute++) {
      await charge(gate, 10)
      await refusal(gate.access.charge(acme))
      await vi.advanceTimersByTimeAsync(MINUTE + 1)
    }
    const refused = await refusal(gate.access.charge(acme))
    expect(refused.retryAfterMs).toBeGreaterThan(40 * MINUTE)
    expect(await gate.access.standing(acme)).toMatchObject({ name: 'hour', limit: 100, remaining: 0 })
    await vi.advanceTimersByTimeAsync(50 * MINUTE)
    await charge(gate, 10)
    await gate.access.close()
  })

  it('shares it among all of its keys and tickets, with nobody else', async () => {
    const gate = open('free', undefined)
    await charge(gate, 5)
    await charge(gate, 5, { ...acme, kind: 'ticket', keyId: 'another' })
    await refusal(gate.access.charge(acme))
    await charge(gate, 10, other)
    await charge(gate, 100, ANONYMOUS)
    expect(await gate.access.standing(other)).toMatchObject({ remaining: 0 })
    await gate.access.close()
  })

  it('stands where the window that would refuse it first is', async () => {
    const gate = open('none', 'free')
    expect(await gate.access.standing(acme)).toEqual({ name: 'minute', limit: 10, remaining: 10, resetMs: MINUTE })
    await charge(gate, 3)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await gate.access.standing(acme)).toEqual({ name: 'minute', limit: 10, remaining: 7, resetMs: 50_000 })
    expect(await gate.access.standing(other)).toBeUndefined()
    expect(await gate.access.standing(ANONYMOUS)).toBeUndefined()
    await gate.access.close()
  })

  it('that is given another one goes by it at once, with what it used', async () => {
    const gate = open('none', 'free')
    await charge(gate, 10)
    await refusal(gate.access.charge(acme))
    await gate.store.setPlan('acme', 'pro')
    // The refused one counted in the minute, which does not matter: nothing is had by asking again.
    expect(await gate.access.standing(acme)).toMatchObject({ limit: 500, remaining: 489 })
    await charge(gate, 200)
    await gate.store.setPlan('acme', 'none')
    await charge(gate, 1000)
    expect(await gate.access.standing(acme)).toBeUndefined()
    await gate.access.close()
  })

  it('is charged for a run that is admitted; a run that is refused gives its place back', async () => {
    const gate = openGate({ plans: PLANS, defaultPlan: 'none', runsAtOnce: 1, runsPerMinute: 100 })
    gate.store.plans.set('acme', 'free')
    // Whoever knows the id of a session of the account: by address and by plan.
    const holder: Principal = { kind: 'anonymous', account: 'acme', scopes: [], apps: [] }
    for (let count = 0; count < 10; count++) (await gate.access.admitRun(holder, here, alpha))()
    await vi.advanceTimersByTimeAsync(MINUTE - 1)
    const refused = await refusal(gate.access.admitRun(holder, here, alpha))
    expect(refused.retryAfterMs).toBeLessThanOrEqual(MINUTE)
    await vi.advanceTimersByTimeAsync(1000)
    ;(await gate.access.admitRun(holder, here, alpha))()
    await gate.access.close()
  })
})

describe('whose plan it is', () => {
  it('is read once for all that ask at once, and again after a change', async () => {
    const gate = open('free', undefined)
    await Promise.all([charge(gate, 2), charge(gate, 2), gate.access.standing(acme)])
    const reads = () => gate.store.asked.filter((what) => what === 'planOf acme').length
    expect(reads()).toBe(1)
    gate.store.tell({ kind: 'account', id: 'acme' })
    await charge(gate, 1)
    expect(reads()).toBe(2)
    gate.store.tell({ kind: 'everything' })
    await charge(gate, 1)
    expect(reads()).toBe(3)
    await gate.access.close()
  })

  it('and is not configured any more, has the default one, and the operator a line in the log', async () => {
    const gate = open('free', 'gold')
    expect(await gate.access.standing(acme)).toMatchObject({ limit: 10 })
    expect(gate.telemetry.lines).toContain('warn plan not configured')
    await gate.access.close()
  })

  it('cannot be read while the store is away: it is asked again by the next', async () => {
    const gate = open('free', undefined)
    gate.store.down = true
    expect((await refusal(gate.access.charge(acme))).code).toBe('store_unavailable')
    expect(await gate.access.standing(acme)).toBeUndefined()
    gate.store.down = false
    await charge(gate, 1)
    await gate.access.close()
  })
})
