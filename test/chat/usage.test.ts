import { describe, expect, it } from 'vitest'
import { UsageMeter } from '../../src/chat/run/usage.ts'

const usage = (outputTokens: number, more: object = {}) => {
  return { provider: 'p', model: 'm', inputTokens: 10, outputTokens, totalTokens: 10 + outputTokens, ...more }
}

describe('the usage of a run', () => {
  it('P-77: takes the last word of each request and adds up requests by model', () => {
    const meter = new UsageMeter()
    meter.draft(usage(1))
    meter.draft(usage(5, { cachedInputTokens: 3 }))
    meter.settle()
    meter.draft(usage(2, { cachedInputTokens: 4, cacheWriteInputTokens: 1 }))
    meter.settle()
    meter.draft(usage(9, { model: 'other' }))
    expect(meter.total()).toEqual([
      { ...usage(7), inputTokens: 20, totalTokens: 27, cachedInputTokens: 7, cacheWriteInputTokens: 1 },
      usage(9, { model: 'other' }),
    ])
  })

  it('counts a request that was cut, once', () => {
    const meter = new UsageMeter()
    meter.draft(usage(4))
    expect(meter.total()).toEqual([usage(4)])
    expect(meter.total()).toEqual([usage(4)])
  })

  it('is nothing where nothing was counted', () => {
    const meter = new UsageMeter()
    meter.settle()
    expect(meter.total()).toEqual([])
  })
})
