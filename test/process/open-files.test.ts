import { closeSync, openSync, readdirSync } from 'node:fs'
import { devNull } from 'node:os'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { OpenFiles, type OpenFilesOptions, roomForConnections } from '../../src/process/open-files.ts'

const SECOND_MS = 1000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function watch(options: OpenFilesOptions) {
  const log = vi.fn<Telemetry['log']>()
  const made = new OpenFiles({ log, gauge: () => undefined, count: () => undefined, observe: () => undefined }, options)
  return { made, look: () => vi.advanceTimersByTimeAsync(SECOND_MS), said: () => log.mock.calls.splice(0) }
}

describe('open files', () => {
  it('are told of once when nine tenths of them are taken, when none is left, and when there are enough again', async () => {
    let count: number | undefined = 0
    const { made, look, said } = watch({ limit: 100, count: async () => count })
    const told: unknown[] = []
    for (const next of [89, 90, 95, undefined, 100, 92, 85, 80, 79, 85]) {
      count = next
      await look()
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
    count = undefined
    await look()
    expect(said()).toEqual([])
  })

  it('are counted as the kernel counts them, also where those that were opened first are closed again', async () => {
    const held = Array.from({ length: 200 }, () => openSync(devNull, 'r'))
    const { made, look, said } = watch({ limit: readdirSync('/proc/self/fd').length })
    for (const file of held.splice(0, 10)) closeSync(file)
    await look()
    await expect.poll(() => said().map(([, event]) => event)).toEqual(['open files near their limit'])
    for (const file of held) closeSync(file)
    await look()
    await expect.poll(() => said().map(([, event]) => event)).toEqual(['open files below their limit'])
    made.close()
  })

  it('are no matter while this process has plenty', async () => {
    const { made, look, said } = watch({})
    await look()
    await new Promise(setImmediate)
    expect(said()).toEqual([])
    made.close()
  })

  it('leave a quarter for all that is no WebSocket, 2,000 at most', () => {
    expect([256, 1024, 20_000].map((limit) => roomForConnections(limit))).toEqual([192, 768, 18_000])
    expect(roomForConnections()).toBeGreaterThan(100)
  })
})
