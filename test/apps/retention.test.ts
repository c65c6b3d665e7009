import { afterEach, describe, expect, it, vi } from 'vitest'
import { Retention, readRules } from '../../src/apps/retention.ts'
import type { PrivacyStore } from '../../src/ports/privacy.ts'
import type { AppRow } from '../../src/ports/store.ts'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { deferred } from '../support/turns.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 5, 1)
const definition = (id: string, more: object) => ({
  id,
  name: id,
  preamble: '',
  model: { default: 'scripted/demo' },
  ...more,
})
const row = (id: string, more: object) => ({ id, definition: definition(id, more), updatedAt: 1 })
const ROWS = [row('keeps', {}), row('month', { retention: { days: 30 } }), row('day', { retention: { days: 1 } })]

/** A store that says what it was asked. */
function begin({ alone = true, rows = ROWS }: { readonly alone?: boolean; readonly rows?: readonly AppRow[] } = {}) {
  vi.useFakeTimers({ now: NOW })
  const logged: string[] = []
  const removed: [string, number][] = []
  const held = deferred<number>()
  let answer: Promise<number> = Promise.resolve(2)
  const store: PrivacyStore = {
    async *exportSessions() {},
    listSessions: async () => [],
    countUntouched: async () => 0,
    removeUntouched: (app, since) => {
      removed.push([app, since])
      return answer
    },
    alone: async (work) => (alone ? work() : undefined),
  }
  const telemetry: Telemetry = {
    log: (level, event, fields) => void logged.push(`${level} ${event} ${JSON.stringify(fields)}`),
    count: () => {},
    observe: () => {},
    gauge: () => {},
  }
  const apps = { listApps: async () => rows }
  const retention = new Retention({ apps, store, telemetry, everyMs: 3_600_000 })
  return { retention, removed, logged, store, held, hold: () => (answer = held.promise) }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('retention of Apps', () => {
  it('is applied a minute after the start and then every interval, for Apps that have one', async () => {
    const { retention, removed, logged } = begin()
    await vi.advanceTimersByTimeAsync(59_000)
    expect(removed).toEqual([])
    await vi.advanceTimersByTimeAsync(1000)
    const first = NOW + 60_000
    expect(removed).toEqual([
      ['month', first - 30 * DAY],
      ['day', first - DAY],
    ])
    expect(logged).toEqual([
      'info retention applied {"app":"month","sessions":2}',
      'info retention applied {"app":"day","sessions":2}',
    ])
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(removed).toHaveLength(4)
    await retention.close()
    await vi.advanceTimersByTimeAsync(9_000_000)
    expect(removed).toHaveLength(4)
  })

  it('is left to the process that is at it', async () => {
    const { retention, removed } = begin({ alone: false })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(removed).toEqual([])
    await retention.close()
  })

  it('goes on with the others when a definition cannot be read, and tries again after a failure', async () => {
    const broken = { id: 'broken', definition: { id: 'broken', retention: { days: 'many' } }, updatedAt: 1 }
    const { retention, removed, logged, store } = begin({ rows: [broken, ...ROWS] })
    const remove = vi.spyOn(store, 'removeUntouched').mockRejectedValueOnce(new Error('away'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect([remove.mock.calls.length, removed.length]).toEqual([1, 0])
    expect(logged).toEqual(['warn retention unknown {"app":"broken"}', 'warn retention not applied {}'])
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(removed.map(([app]) => app)).toEqual(['month', 'day'])
    await retention.close()
  })

  it('is over when a server has closed', async () => {
    const { retention, held, hold } = begin()
    void hold()
    await vi.advanceTimersByTimeAsync(60_000)
    let closed = false
    const closing = retention.close().then(() => {
      closed = true
      return undefined
    })
    await vi.advanceTimersByTimeAsync(10)
    expect(closed).toBe(false)
    held.resolve(1)
    await closing
    expect(closed).toBe(true)
  })

  it.each([0, -1, 1.5, 36_501, '30'])('takes no %j days', async (days) => {
    const unreadable: string[] = []
    const rows = [row('shop', { retention: { days } })]
    expect(await readRules({ listApps: async () => rows }, NOW, (id) => unreadable.push(id))).toEqual([])
    expect(unreadable).toEqual(['shop'])
  })
})
