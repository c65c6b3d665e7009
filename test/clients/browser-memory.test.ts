import { describe, expect, it } from 'vitest'
import { SessionShelf } from '../../clients/ui/session-shelf.ts'
import { loadSettings, saveSettings } from '../../clients/ui/settings.ts'
import type { TextStorage } from '../../clients/ui/storage.ts'

class MapStorage implements TextStorage {
  readonly texts = new Map<string, string>()

  get(name: string): string | undefined {
    return this.texts.get(name)
  }
  set(name: string, value: string | undefined): void {
    if (value === undefined) this.texts.delete(name)
    else this.texts.set(name, value)
  }
}

describe('the shelf of conversations', () => {
  it('lists them newest first, per App, and keeps a title that is not said again', () => {
    const storage = new MapStorage()
    const shelf = new SessionShelf(storage, 'support')
    shelf.put({ id: 'a', title: 'First', updatedAt: 1 })
    shelf.put({ id: 'b', title: 'Second', updatedAt: 2 })
    shelf.put({ id: 'a', updatedAt: 3 })
    expect(shelf.list()).toEqual([
      { id: 'a', title: 'First', updatedAt: 3 },
      { id: 'b', title: 'Second', updatedAt: 2 },
    ])
    expect(new SessionShelf(storage, 'other').list()).toEqual([])
    shelf.remove('a')
    expect(shelf.list().map(({ id }) => id)).toEqual(['b'])
  })

  it('keeps the newest 200 and survives what it cannot read', () => {
    const storage = new MapStorage()
    const shelf = new SessionShelf(storage, 'support')
    shelf.merge(Array.from({ length: 205 }, (_, index) => ({ id: `s${index}`, updatedAt: index })))
    expect(shelf.list()).toHaveLength(200)
    expect(shelf.list().at(-1)?.id).toBe('s5')
    storage.set(shelf.name, '{"not": "a list"}')
    expect(shelf.list()).toEqual([])
    storage.set(shelf.name, 'not JSON')
    expect(shelf.list()).toEqual([])
  })
})

describe('App and key', () => {
  it('lie where the person chose, and nowhere else', () => {
    const stores = { lasting: new MapStorage(), passing: new MapStorage() }
    expect(loadSettings(stores)).toEqual({ app: 'default', remember: false })
    saveSettings(stores, { app: 'shop', key: 'pk_live_a_b', remember: true })
    expect(loadSettings(stores)).toEqual({ app: 'shop', key: 'pk_live_a_b', remember: true })
    expect(stores.passing.texts.size).toBe(0)
    saveSettings(stores, { app: 'shop', key: 'pk_live_a_b', remember: false })
    expect(loadSettings(stores)).toEqual({ app: 'shop', key: 'pk_live_a_b', remember: false })
    expect(stores.lasting.texts.size).toBe(0)
  })
})
