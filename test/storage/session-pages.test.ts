import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { SessionQuery } from '../../src/ports/admin-store.ts'
import { selectPage } from '../../src/storage/session-queries.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

const SESSIONS = 20_000
/** In the middle of them: they are a second apart. */
const place = { updatedAt: Date.now() - (SESSIONS / 2) * 1000, id: randomUUID() }

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.sql`
    insert into sessions (id, app, account, user_id, status, created_at, updated_at)
    select gen_random_uuid(), 'app' || n % 7, case when n % 3 > 0 then 'account' || n % 50 end, 'user' || n % 1000, 'idle',
      now(), now() - n * interval '1 second'
    from generate_series(1, ${SESSIONS}::integer) n`
  await database.sql`analyze sessions`
})
afterAll(() => database.drop())

async function planOf(query: SessionQuery): Promise<string> {
  const lines = await database.sql<{ 'QUERY PLAN': string }[]>`explain ${selectPage(database.sql, query)}`
  return lines.map((line) => line['QUERY PLAN']).join('\n')
}

it.each<[string, SessionQuery]>([
  ['', { limit: 50 }],
  [', further on', { limit: 50, before: place }],
  [', of its Apps', { limit: 50, apps: ['app1', 'app2'] }],
])('the newest sessions of an account%s are read in the order of an index and not sorted', async (_, query) => {
  const plan = await planOf({ ...query, account: 'account7' })
  expect(plan).toContain('using sessions_by_account ')
  expect(plan).not.toContain('Sort')
})
