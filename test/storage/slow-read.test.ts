import { expect, it, onTestFinished } from 'vitest'
import { Pool } from '../../src/storage/connection.ts'
import { Health } from '../../src/storage/health.ts'
import { Line } from '../../src/storage/line.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

const patience = { statementMs: 500, answerMs: 8000, connectMs: 3000 }
const AWAY = { code: 'store_unavailable' }
const SLEEPS_S = { long: 10, short: 0.2 }

it('a statement that Postgres cancels for its length fails alone: no other read loses its connection', async () => {
  const database = await createTestDatabase()
  const pool = new Pool({ connection: database.connection, max: 2, patience, health: new Health(new Recorder()).reads })
  onTestFinished(async () => {
    await pool.close()
    await database.drop()
  })
  const pid = async (sleepS: number) => {
    const [row] = await pool.query(
      (sql) =>
        sql<{ pid: number }[]>`select pg_backend_pid() as pid from (select pg_sleep(${sleepS}::float8) offset 0) s`,
    )
    return row?.pid
  }
  const slow = pid(SLEEPS_S.long)
  // One after the other on the second connection: some are on, and some wait, when the first is cancelled.
  const others = Array.from({ length: 5 }, () => pid(SLEEPS_S.short))
  await expect(slow).rejects.toMatchObject(AWAY)
  const pids = await Promise.all(others)
  expect(pids).not.toContain(undefined)
  expect(pids).toContain(await pid(0))
})

it('a line keeps its connection, and with it its locks, when Postgres cancels a statement', async () => {
  const database = await createTestDatabase()
  const line = new Line({ connection: database.connection, patience, prepare: async () => {} })
  onTestFinished(async () => {
    await line.close()
    await database.drop()
  })
  const pid = async () => (await line.query((sql) => sql<{ pid: number }[]>`select pg_backend_pid() as pid`))[0]?.pid
  const before = await pid()
  await expect(line.query((sql) => sql`select pg_sleep(${SLEEPS_S.long})`)).rejects.toMatchObject({ code: '57014' })
  expect(await pid()).toBe(before)
})
