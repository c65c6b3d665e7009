import type { Change } from '../../src/ports/store.ts'
import { createMemoryStore } from './memory-store.ts'

/** A store whose notices are lost on the way; `tell` gives one to all who listen. */
export function createDeafStore() {
  const store = createMemoryStore()
  const listeners: ((change: Change) => void)[] = []
  store.subscribe = (listener) => {
    listeners.push(listener)
    return () => {}
  }
  const tell = (change: Change): void => {
    for (const listener of listeners) listener(change)
  }
  return { store, tell }
}
