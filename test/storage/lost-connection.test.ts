import { createServer, connect as dial, type Socket } from 'node:net'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { PATIENCE, Pool } from '../../src/storage/connection.ts'
import { createExports } from '../../src/storage/export.ts'
import { Health } from '../../src/storage/health.ts'
import { openPostgres } from '../../src/storage/postgres.ts'
import { message, run, session } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { listen } from '../support/listen.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { placeOf } from './place.ts'
import { Recorder } from './recorder.ts'

const AWAY = { code: 'store_unavailable' }

/** A database behind a proxy whose connections can be closed without a word, as by a pooler that restarts. */
async function reach(database: TestDatabase) {
  const { target, through } = placeOf(database.connection)
  const clients = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = dial(target)
    client.pipe(server)
    server.pipe(client)
    for (const socket of [client, server]) socket.on('error', () => undefined)
    clients.add(client)
    client.on('close', () => server.destroy())
  })
  const connection = { url: through(await listen(proxy)) }
  onTestFinished(() => void proxy.close())
  /** Resolves when the other side has heard of it. */
  const cut = async () => {
    for (const client of clients) client.destroy()
    clients.clear()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { connection, cut }
}

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  return () => database.drop()
})

function poolOf(connection: { readonly url: string }, patience = PATIENCE) {
  const pool = new Pool({ connection, max: 1, patience, health: new Health(new Recorder()).reads })
  onTestFinished(() => pool.close())
  return pool
}

it('a transaction whose connection is closed in a statement is taken back, and the next one works', async () => {
  const { connection, cut } = await reach(database)
  const pool = poolOf(connection)
  await pool.query((sql) => sql`create table one (n integer)`)
  const broken = pool.transaction(5000, async (sql) => {
    await sql`insert into one values (1)`
    setTimeout(() => void cut(), 50)
    await sql`select pg_sleep(2)`
  })
  await expect(broken).rejects.toMatchObject(AWAY)
  await pool.transaction(5000, async (sql) => void (await sql`insert into one values (2)`))
  expect([...(await pool.query((sql) => sql`select n from one`))]).toEqual([{ n: 2 }])
})

it('nothing of a transaction is done behind the loss of its connection, on another one', async () => {
  const { connection, cut } = await reach(database)
  const pool = poolOf(connection)
  await pool.query((sql) => sql`create table two (n integer)`)
  const broken = pool.transaction(5000, async (sql) => {
    await sql`insert into two values (1)`
    await cut()
    await sql`insert into two values (2)`
  })
  await expect(broken).rejects.toMatchObject(AWAY)
  expect([...(await pool.query((sql) => sql`select n from two`))]).toEqual([])
})

it('an export whose connection is closed between two pages ends, and not on another snapshot', async () => {
  const store = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
  onTestFinished(() => store.close())
  const row = session()
  const one = run(row.id, 'r1', { position: 1 })
  const messages = Array.from({ length: 120 }, (_, index) => message(one, index))
  await store.commit({ sessionId: row.id, session: row, runs: [one], messages }, SOON)
  const { connection, cut } = await reach(database)
  let lines = 0
  const read = async () => {
    for await (const { type } of createExports(connection).exportSessions({ session: row.id })) {
      if (type === 'message') lines++
      if (lines === 10) await cut()
    }
  }
  await expect(read()).rejects.toMatchObject(AWAY)
  expect(lines).toBeLessThan(60)
})

it('queries that go out while their connection closes keep no later one waiting for good', {
  timeout: 20_000,
}, async () => {
  const { connection, cut } = await reach(database)
  const pool = poolOf(connection, { statementMs: 700, answerMs: 1000, connectMs: 500 })
  const look = () => pool.query((sql) => sql<{ n: number }[]>`select 1 as n`)
  for (let times = 0; times < 5; times++) {
    await look()
    const over = cut()
    const asked: Promise<unknown>[] = []
    for (let turn = 0; turn < 40; turn++) {
      asked.push(look().catch((thrown: unknown) => thrown))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all([over, ...asked])
  }
  await look().catch(() => undefined)
  expect([...(await look())]).toEqual([{ n: 1 }])
})
