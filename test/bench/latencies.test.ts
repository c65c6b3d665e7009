import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Latencies } from '../../bench/load/latencies.ts'

/** What a histogram may be off by: half of a counter, 1/1024 of the value. */
const ERROR_SHARE = 1 / 1024
const MICROS = fc.integer({ min: 0, max: 2 ** 31 - 1 })
/** From microseconds to minutes alike: uniform numbers are nearly all large. */
const SPREAD = fc.tuple(fc.integer({ min: 0, max: 31 }), fc.double({ min: 1, max: 2, noNaN: true, maxExcluded: true }))
const LATENCY = fc.oneof(
  MICROS,
  SPREAD.map(([octave, part]) => Math.min(2 ** 31 - 1, Math.floor(part * 2 ** octave))),
)
const SHARES = [0, 0.25, 0.5, 0.9, 0.99, 0.999, 1]

function of(values: readonly number[]): Latencies {
  const latencies = new Latencies()
  for (const value of values) latencies.add(value)
  return latencies
}

/** By sorting: the value of the same rank, in ms. */
function exactly(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? Number.NaN) / 1000
}

describe('a histogram of latencies', () => {
  it('is within a thousandth of the exact value at every percentile', () => {
    fc.assert(
      fc.property(fc.array(LATENCY, { minLength: 1, maxLength: 300 }), (values) => {
        const latencies = of(values)
        for (const share of SHARES) {
          const exact = exactly(values, share)
          expect(Math.abs(latencies.at(share) - exact)).toBeLessThanOrEqual(exact * ERROR_SHARE)
        }
      }),
    )
  })

  it('is exact below 1,024 microseconds, and at the most', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1023 }), { minLength: 1 }), LATENCY, (small, most) => {
        const latencies = of(small)
        for (const share of SHARES) expect(latencies.at(share)).toBe(exactly(small, share))
        latencies.add(most)
        expect(latencies.at(1)).toBe(Math.max(most, ...small) / 1000)
      }),
    )
  })

  it('merges, packed or not, to the histogram of all values', () => {
    fc.assert(
      fc.property(fc.array(LATENCY), fc.array(LATENCY), (some, others) => {
        const merged = of(some)
        merged.merge(Latencies.decode(of(others).encode()))
        expect(merged.encode()).toBe(of([...some, ...others]).encode())
        expect(merged.summary()).toEqual(of([...some, ...others]).summary())
      }),
    )
  })

  it('starts anew when it is cleared', () => {
    const latencies = of([7, 70_000_000])
    latencies.clear()
    expect(latencies.encode()).toBe('')
    expect(latencies.summary()).toEqual({ count: 0, p50: 0, p99: 0, p999: 0, max: 0 })
    latencies.add(500)
    expect(latencies.summary()).toEqual({ count: 1, p50: 0.5, p99: 0.5, p999: 0.5, max: 0.5 })
  })

  it('takes what lies outside of its range as its ends', () => {
    const latencies = of([-3, 1e12])
    expect(latencies.at(0)).toBe(0)
    expect(latencies.at(1)).toBe((2 ** 31 - 1) / 1000)
  })

  it.each(['1 2 x', '1 2 5:0', '1 2 99999999:1', '1 2 3'])('refuses to read %s', (text) => {
    expect(() => Latencies.decode(text)).toThrow('is no counter')
  })
})
