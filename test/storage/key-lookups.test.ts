import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished, vi } from 'vitest'
import { PATIENCE, Pool } from '../../src/storage/connection.ts'
import { Health } from '../../src/storage/health.ts'
import { createKeyStore } from '../../src/storage/keys.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

const GUESSING_MS = 500
/** Milliseconds between two queries: ten, of which Node's timers may be one early. */
const LEAST_APART_MS = 9

it('I9: guesses at the ids of keys are looked up a hundred times a second at most, however many they are', async () => {
  const database = await createTestDatabase()
  const pool = new Pool({
    connection: database.connection,
    max: 2,
    patience: PATIENCE,
    health: new Health(new Recorder()).reads,
  })
  onTestFinished(async () => {
    await pool.close()
    await database.drop()
  })
  const keys = createKeyStore(pool)
  const known = {
    id: 'knownkey0001',
    kind: 'secret',
    hash: 'none',
    label: 'known',
    apps: [],
    scopes: ['read'],
  } as const
  await keys.createKey({ ...known, account: 'default', origins: [], addresses: [], createdAt: 1 })

  const queries = vi.spyOn(pool, 'query')
  const guesses: Promise<unknown>[] = []
  const started = performance.now()
  while (performance.now() - started < GUESSING_MS) {
    for (let nth = 0; nth < 20; nth++) guesses.push(keys.findKey(`guess${guesses.length}`))
    await sleep(1)
  }
  expect((await keys.findKey(known.id))?.label).toBe('known')
  expect(new Set(await Promise.all(guesses))).toEqual(new Set([undefined]))
  const most = (performance.now() - started) / LEAST_APART_MS + 1
  expect(guesses.length).toBeGreaterThan(most)
  expect(queries.mock.calls.length).toBeLessThanOrEqual(most)
})
