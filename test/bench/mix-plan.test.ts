import { describe, expect, it } from 'vitest'
import { dayShape, planMix } from '../../bench/load/mix-plan.ts'

const DAY = { seed: 3, seconds: 600, arrivals: 10, shape: 'day', tools: true } as const

describe('the plan of a day', () => {
  it('is the same for the same seed, another for another', () => {
    expect(planMix(DAY)).toEqual(planMix(DAY))
    expect(planMix({ ...DAY, seed: 4 })).not.toEqual(planMix(DAY))
  })

  it('has quiet nights, a dip after noon and the busiest hours before it', () => {
    const hours = Array.from({ length: 24 }, (_, hour) => dayShape(hour / 24))
    expect(Math.min(...hours)).toBeCloseTo(0.15)
    expect(Math.max(...hours)).toBeLessThanOrEqual(1)
    expect(dayShape(0.55)).toBeLessThan(dayShape(0.42))
    const counts = [0, 0, 0, 0, 0, 0]
    for (const { arrival } of planMix(DAY)) {
      const part = Math.floor((arrival / 600_000) * 6)
      counts[part] = (counts[part] ?? 0) + 1
    }
    expect(counts[2]).toBeGreaterThan((counts[0] ?? 0) * 2)
    expect(counts[2]).toBeGreaterThan((counts[5] ?? 0) * 2)
  })

  it('brings as many as it says when it has no shape, in their order', () => {
    const arrivals = planMix({ ...DAY, shape: 'even' }).map(({ arrival }) => arrival)
    expect(Math.abs(arrivals.length - 6000)).toBeLessThan(400)
    expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b))
  })

  it('stops, cuts and calls tools in their shares, and stops and cuts only in the middle', () => {
    const runs = planMix(DAY).flatMap((plan) => plan.runs)
    const share = (has: (run: (typeof runs)[number]) => boolean): number => runs.filter(has).length / runs.length
    expect(share(({ stopAt }) => stopAt !== undefined)).toBeCloseTo(0.15, 1)
    expect(share(({ cutAt }) => cutAt !== undefined)).toBeCloseTo(0.15 * 0.85, 1)
    expect(share(({ tool }) => tool)).toBeCloseTo(0.2, 1)
    for (const { tokens, stopAt = 1, cutAt = 1 } of runs) {
      expect(Math.min(stopAt, cutAt)).toBeGreaterThanOrEqual(1)
      expect(Math.max(stopAt, cutAt)).toBeLessThan(tokens)
    }
    expect(
      planMix({ ...DAY, tools: false })
        .flatMap((plan) => plan.runs)
        .some(({ tool }) => tool),
    ).toBe(false)
  })
})
