import { describeStore } from '../contracts/store.ts'
import { createMemoryStore } from '../support/memory-store.ts'

describeStore('memory', async () => {
  const root = createMemoryStore()
  return {
    async start() {
      const store = root.fork()
      return { store, die: async () => store.die() }
    },
    async close() {},
  }
})
