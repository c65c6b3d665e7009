import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { key } from '../contracts/store-rows.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

const PUTS = 16
const MAX_APPS = 5
/** Reads at once that open every connection of a store, so that the puts meet. */
const WARMING = 20

let database: TestDatabase
let one: PostgresStorage
let another: PostgresStorage
beforeAll(async () => {
  database = await createTestDatabase()
  one = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
  another = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
  await Promise.all(Array.from({ length: WARMING }, (_, n) => processOf(n).planOf('acme')))
})
afterAll(async () => {
  await Promise.all([one.close(), another.close()])
  await database.drop()
})

function processOf(n: number): PostgresStorage {
  return n % 2 === 0 ? one : another
}

it.each(['acme', 'soylent', 'stark', 'wayne'])(
  'puts of Apps at one moment, from two processes, leave the account %s with no more Apps than it may have',
  async (account) => {
    const keyId = `${account}key`
    await one.createKey(key({ id: keyId, account }))
    const put = (n: number) =>
      processOf(n).putOwnApp({
        row: { id: `${account}-${n}`, account, definition: {}, updatedAt: 1 },
        keyId,
        maxApps: MAX_APPS,
      })
    const outcomes = await Promise.all(Array.from({ length: PUTS }, (_, n) => put(n)))
    const count = (outcome: string) => outcomes.filter((each) => each === outcome).length
    expect([count('stored'), count('full')]).toEqual([MAX_APPS, PUTS - MAX_APPS])
    expect(await one.findAccount(account)).toMatchObject({ apps: MAX_APPS })
    // One that it has is stored again, and all are opened by its key.
    expect(await put(outcomes.indexOf('stored'))).toBe('stored')
    expect((await another.findKey(keyId))?.apps).toHaveLength(MAX_APPS)
  },
)

it('an App that two accounts put at one moment becomes that of one, and the other is told that it is taken', async () => {
  const accounts = ['globex', 'initech', 'umbrella', 'hooli']
  await Promise.all(accounts.map((account) => one.createKey(key({ id: `${account}key`, account }))))
  for (let round = 0; round < 5; round++) {
    const outcomes = await Promise.all(
      accounts.map((account, n) =>
        processOf(n).putOwnApp({
          row: { id: `wanted-${round}`, account, definition: {}, updatedAt: 1 },
          keyId: `${account}key`,
          maxApps: 100,
        }),
      ),
    )
    expect(outcomes.filter((each) => each === 'stored')).toHaveLength(1)
    expect(outcomes.filter((each) => each === 'taken')).toHaveLength(accounts.length - 1)
  }
})
