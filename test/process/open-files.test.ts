import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { OpenFiles, type OpenFilesOptions } from '../../src/process/open-files.ts'

const SECOND_MS = 1000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function watch(options: OpenFilesOptions) {
  const log = vi.fn<Telemetry['log']>()
  const made = new OpenFiles({ log, gauge: () => undefined, count: () => undefined, observe: () => undefined }, options)
  return { made, look: () => vi.advanceTimersByTime(SECOND_MS), said: () => log.mock.calls.splice(0) }
}

describe('open files', () => {
  it('are told of once when nine tenths of them are taken, when none is left, and when there are enough again', () => {
    let free: number | undefined = 89
    const { made, look, said } = watch({ limit: 100, lowestFree: () => free })
    const told: unknown[] = []
    for (const next of [89, 90, 95, undefined, undefined, 92, 85, 80, 79, 85]) {
      free = next
      look()
      told.push(said().map(([level, event, fields]) => [level, event, fields?.['open']]))
    }
    expect(told).toEqual([
      [],
      [['warn', 'open files near their limit', 90]],
      [],
      [['error', 'no more files can be opened', undefined]],
      [],
      [['warn', 'open files near their limit', 92]],
      [],
      [],
      [['info', 'open files below their limit', 79]],
      [],
    ])
    made.close()
    free = undefined
    look()
    expect(said()).toEqual([])
  })

  it('are counted as the kernel counts them', () => {
    const first = openSync(devNull, 'r')
    closeSync(first)
    const { made, look, said } = watch({ limit: first + 30 })
    look()
    expect(said()).toEqual([])
    const held = Array.from({ length: 29 }, () => openSync(devNull, 'r'))
    look()
    for (const number of held) closeSync(number)
    expect(said().map(([, event]) => event)).toEqual(['open files near their limit'])
    made.close()
  })

  it('are no matter while this process has plenty', () => {
    const { made, look, said } = watch({})
    look()
    expect(said()).toEqual([])
    made.close()
  })
})
