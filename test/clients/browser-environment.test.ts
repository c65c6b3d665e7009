import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { browserEnvironment } from '../../clients/core/browser-environment.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the timers of a page', () => {
  it('that are set for longer than the platform can wait do not go off at once', () => {
    const run = vi.fn<() => void>()
    browserEnvironment.setTimeout(run, Number.MAX_SAFE_INTEGER)
    vi.advanceTimersByTime(1_000)
    expect(run).not.toHaveBeenCalled()
    browserEnvironment.setTimeout(run, 1_000)
    vi.advanceTimersByTime(1_000)
    expect(run).toHaveBeenCalledTimes(1)
  })
})
