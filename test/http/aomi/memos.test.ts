import { describe, expect, it } from 'vitest'
import { Memos } from '../../../src/http/aomi/memos.ts'

const LONG = 'x'.repeat(32_000)
const [MINE, THEIRS] = ['198.51.100.1', '198.51.100.2']

describe('what is remembered of clients', () => {
  it('one address pushes out what it left itself, the oldest first, and nobody else’s', () => {
    const memos = new Memos()
    memos.keepEvent('mine', MINE, { SystemNotice: 'keep me' })
    memos.keepState('mine', MINE, { ext: 1 })
    for (let nth = 0; nth < 2000; nth++) memos.keepState(`theirs-${nth}`, THEIRS, { ext: LONG }, LONG)
    expect(memos.eventsOf('mine')).toEqual([{ SystemNotice: 'keep me' }])
    expect(memos.stateOf('mine')).toEqual({ ext: 1 })
    expect(memos.stateOf('theirs-0')).toBeUndefined()
    expect(memos.stateOf('theirs-1999')).toEqual({ ext: LONG })
  })

  it('who only reads a session does not take it into its own share', () => {
    const memos = new Memos()
    memos.keepState('mine', MINE, { ext: 1 })
    expect(memos.isNews('mine', 'reader', 'run')).toBe(true)
    for (let nth = 0; nth < 2000; nth++) memos.isNews(`read-${nth}`, LONG.slice(0, 10_000), 'run')
    expect(memos.stateOf('mine')).toEqual({ ext: 1 })
    expect(memos.isNews('mine', 'reader', 'run')).toBe(false)
  })

  it('events of one session are bounded by their bytes, the newest stay', () => {
    const memos = new Memos()
    for (let nth = 0; nth < 50; nth++) memos.keepEvent('one', MINE, { SystemNotice: `${nth} ${LONG}` })
    const kept = memos.eventsOf('one')
    expect(JSON.stringify(kept).length).toBeLessThanOrEqual(256 * 1024)
    expect(kept.length).toBeGreaterThan(1)
    expect(kept.at(-1)).toEqual({ SystemNotice: `49 ${LONG}` })
  })

  it('what is forgotten is no longer counted', () => {
    const memos = new Memos()
    memos.keepState('kept', MINE, { ext: 1 })
    for (let nth = 0; nth < 2000; nth++) {
      memos.keepState('again', MINE, { ext: LONG })
      memos.forget('again')
    }
    expect(memos.stateOf('kept')).toEqual({ ext: 1 })
    memos.clear()
    expect(memos.stateOf('kept')).toBeUndefined()
  })
})
