import { afterEach, describe, expect, it, vi } from 'vitest'
import { browserStorage } from '../../clients/ui/storage.ts'

/** A storage of the browser that holds `held` and, when `isFull`, takes nothing new. */
function stub(held: Map<string, string>, isFull: () => boolean): void {
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => held.get(name) ?? null,
    removeItem: (name: string) => held.delete(name),
    setItem(name: string, value: string) {
      if (isFull()) throw new Error('QuotaExceededError')
      held.set(name, value)
    },
  })
}

afterEach(() => void vi.unstubAllGlobals())

describe('the storage of a browser', () => {
  it('keeps what a browser that forbids it refuses, as long as the page is there', () => {
    vi.stubGlobal('localStorage', undefined)
    browserStorage('local').set('forbidden', 'x')
    expect(browserStorage('local').get('forbidden')).toBe('x')
    browserStorage('local').set('forbidden', undefined)
    expect(browserStorage('local').get('forbidden')).toBeUndefined()
  })

  it('gives what was put in last, whether it was full then or not', () => {
    const held = new Map([['full', 'old']])
    let isFull = true
    stub(held, () => isFull)
    const storage = browserStorage('local')
    storage.set('full', 'refused')
    expect(storage.get('full')).toBe('refused')
    isFull = false
    storage.set('full', 'kept')
    expect([storage.get('full'), held.get('full')]).toEqual(['kept', 'kept'])
    held.set('full', 'of another tab')
    expect(storage.get('full')).toBe('of another tab')
  })
})
