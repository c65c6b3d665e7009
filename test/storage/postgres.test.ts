import { openPostgres } from '../../src/storage/postgres.ts'
import { describeStore } from '../contracts/store.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

// On the run's server: the embedded one, or that of PARLEY_TEST_DATABASE_URL.
describeStore('Postgres', async () => {
  const database = await createTestDatabase()
  const open = new Set<() => Promise<void>>()
  return {
    async start() {
      const store = await openPostgres({ connection: database.connection, telemetry: new Recorder(), poolSize: 2 })
      const die = () => store.close()
      open.add(die)
      return { store, die }
    },
    async close() {
      await Promise.all([...open].map((close) => close()))
      await database.drop()
    },
  }
})
