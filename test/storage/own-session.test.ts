import { expect, it, onTestFinished } from 'vitest'
import { migrate } from '../../src/storage/migrate.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { listenAsPooler, type Order } from './transaction-pooler.ts'

it.each<Order>(['newest first', 'in turn'])(
  'a pooler in transaction mode that gives its connections %s is refused with what to do, and nothing is changed',
  async (order) => {
    const database = await createTestDatabase({ migrated: false })
    onTestFinished(() => database.drop())
    const url = await listenAsPooler(database.connection, order)
    await expect(migrate({ url })).rejects.toThrow('a pooler in transaction mode')
    const [tables] = await database.sql`select count(*)::integer as count from pg_tables where schemaname = 'public'`
    expect(tables?.['count']).toBe(0)
  },
)
