import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Limits } from '../../src/access/limits.ts'
import { ANONYMOUS } from '../../src/access/principals.ts'
import type { Admission, Principal } from '../../src/ports/access.ts'
import { refusal } from './fakes.ts'

const here: Admission = { address: '203.0.113.7', forwarded: false }
const there: Admission = { address: '198.51.100.9', forwarded: false }
const loopback: Admission = { address: '127.0.0.1', forwarded: false }
const keyed: Principal = { kind: 'key', keyId: 'k', account: 'acme', scopes: [], apps: [] }

function limits(): Limits {
  return new Limits({ connectionsPerAddress: 2, runsPerMinute: 10, runsAtOnce: 3 })
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('connections of one address', () => {
  it('beyond the limit are refused until one leaves', () => {
    const gate = limits()
    for (let count = 0; count < 2; count++) gate.admitConnection(here)
    expect(() => gate.admitConnection(here)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded' }))
    gate.admitConnection(there)
    gate.leaveConnection(here)
    gate.admitConnection(here)
    expect(() => gate.admitConnection(here)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded' }))
  })

  it('of this machine are not counted, unless a proxy speaks for someone', () => {
    const gate = limits()
    for (let count = 0; count < 10; count++) gate.admitConnection(loopback)
    const forwarded = { ...loopback, forwarded: true }
    for (let count = 0; count < 2; count++) gate.admitConnection(forwarded)
    gate.leaveConnection(loopback)
    expect(() => gate.admitConnection(forwarded)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded' }))
  })
})

describe('runs of one address without a key', () => {
  it('are three at once', async () => {
    const gate = limits()
    const [leave] = await Promise.all([1, 2, 3].map(() => gate.admitRun(ANONYMOUS, here)))
    const refused = await refusal(gate.admitRun(ANONYMOUS, here))
    expect(refused.code).toBe('rate_limit_exceeded')
    expect(refused.retryAfterMs).toBeGreaterThan(0)
    await gate.admitRun(ANONYMOUS, there)
    leave?.()
    leave?.()
    await gate.admitRun(ANONYMOUS, here)
    await refusal(gate.admitRun(ANONYMOUS, here))
  })

  it('are ten a minute, and those that found no place are not counted', async () => {
    const gate = limits()
    const held = await Promise.all([1, 2, 3].map(() => gate.admitRun(ANONYMOUS, here)))
    for (let count = 0; count < 20; count++) await refusal(gate.admitRun(ANONYMOUS, here))
    for (const leave of held) leave()
    for (let count = 0; count < 7; count++) (await gate.admitRun(ANONYMOUS, here))()
    const refused = await refusal(gate.admitRun(ANONYMOUS, here))
    expect(refused.retryAfterMs).toBeGreaterThan(0)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(60_000)
    await vi.advanceTimersByTimeAsync(60_001)
    ;(await gate.admitRun(ANONYMOUS, here))()
  })

  it('of this machine, and of those with a key, are not counted', async () => {
    const gate = limits()
    const all = Array.from({ length: 20 }, () => [gate.admitRun(ANONYMOUS, loopback), gate.admitRun(keyed, here)])
    await expect(Promise.all(all.flat())).resolves.toHaveLength(40)
    await expect(gate.admitRun(ANONYMOUS, here)).resolves.toBeTypeOf('function')
  })
})
