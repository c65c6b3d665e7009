import { describe, expect, it, vi } from 'vitest'
import { History } from '../../src/chat/session/history.ts'
import { HistoryCache } from '../../src/chat/session/history-cache.ts'
import type { MessageRow } from '../../src/ports/store.ts'
import { stopClock } from '../support/chat-rig.ts'

function row(runId: string, index: number, content = 'x'.repeat(100)): MessageRow {
  const role = index === 0 ? 'user' : 'assistant'
  return { id: `${runId}-${index}`, sessionId: 's', runId, index, role, content, createdAt: 0 }
}

const of = (...runs: string[]) =>
  new History({ messages: runs.flatMap((run) => [row(run, 0), row(run, 1)]), hasMore: false })
const ids = (history: History) => history.rows.map(({ id }) => id)

describe('a history', () => {
  it('takes rows of the newest run, and replaces those that it has', () => {
    const history = of('a')
    const { bytes } = history
    history.put([row('b', 0), row('b', 1, 'short')])
    history.put([row('b', 1, 'longer')])
    expect(ids(history)).toEqual(['a-0', 'a-1', 'b-0', 'b-1'])
    expect(history.find('b-1')?.content).toBe('longer')
    history.removeFrom('b')
    expect(history.bytes).toBe(bytes)
  })

  it('I7: lets the oldest whole runs go above its bounds, and remembers that there is more', () => {
    const history = of('a', 'b', 'c')
    history.trim(1_000_000, 5)
    expect(ids(history)).toEqual(['b-0', 'b-1', 'c-0', 'c-1'])
    expect(history.hasMore).toBe(true)
    history.trim(history.bytes - 1, 100)
    expect(ids(history)).toEqual(['c-0', 'c-1'])
    history.trim(0, 0)
    expect(ids(history)).toEqual(['c-0', 'c-1'])
    expect(history.bytes).toBe(of('c').bytes)
  })

  it('takes a run and all after it out', () => {
    const history = of('a', 'b', 'c')
    expect(history.removeFrom('b').map(({ id }) => id)).toEqual(['b-0', 'b-1', 'c-0', 'c-1'])
    expect(ids(history)).toEqual(['a-0', 'a-1'])
    expect(history.removeFrom('unknown')).toEqual([])
    expect(history.bytes).toBe(of('a').bytes)
  })

  it('that is only the newest part goes whole for a run that is older', () => {
    const history = of('a', 'b')
    history.trim(1_000_000, 3)
    expect(history.holds('a')).toBe(false)
    history.removeFrom('a')
    expect([ids(history), history.bytes]).toEqual([[], 0])
  })

  it('shows what a run has so far after it, and nothing twice', () => {
    const history = of('a')
    const page = history.page([row('a', 1, 'newer'), row('b', 0)])
    expect(page.messages.map(({ id, content }) => [id, content?.slice(0, 5)])).toEqual([
      ['a-0', 'xxxxx'],
      ['a-1', 'newer'],
      ['b-0', 'xxxxx'],
    ])
  })
})

describe('the cache of histories', () => {
  it('I7: is bounded by the bytes that its histories have now, the least recently used leaves', () => {
    const one = of('a').bytes
    const cache = new HistoryCache(3 * one, 1000, () => 0)
    const growing = of('a')
    cache.put('s1', growing)
    cache.put('s2', of('a'))
    expect(cache.bytes).toBe(2 * one)
    growing.put([row('b', 0), row('b', 1)])
    cache.put('s1', growing)
    expect(cache.bytes).toBe(3 * one)
    cache.put('s3', of('a'))
    // s2 was used least recently; without it the others take what is allowed.
    expect(['s1', 's2', 's3'].filter((id) => cache.get(id) !== undefined)).toEqual(['s1', 's3'])
    expect(cache.bytes).toBe(3 * one)
  })

  it('lets go of what was idle too long', () => {
    stopClock()
    const cache = new HistoryCache(1_000_000, 1000, Date.now)
    cache.put('s1', of('a'))
    cache.put('s2', of('a'))
    vi.advanceTimersByTime(900)
    expect(cache.get('s1')).toBeDefined()
    vi.advanceTimersByTime(900)
    cache.sweep()
    expect(cache.get('s1')).toBeDefined()
    expect(cache.get('s2')).toBeUndefined()
  })
})
