import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import type { Change } from '../../src/ports/store.ts'
import { Changes } from '../../src/storage/changes.ts'
import { PATIENCE } from '../../src/storage/connection.ts'
import { Health } from '../../src/storage/health.ts'
import { NodeWatch } from '../../src/storage/node-watch.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { toldTo } from '../../src/storage/session-changes.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

let database: TestDatabase
let store: PostgresStorage
let changes: Change[]

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
afterEach(() => store.close())

async function listen(): Promise<void> {
  store = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
  changes = []
  store.subscribe((change) => changes.push(change))
}

it('I9: tells within a second of a change for which no notice comes (poolers break LISTEN), once', async () => {
  await listen()
  await database.sql`insert into changes (kind, ref) values ('key', 'k1')`
  await expect.poll(() => changes, { timeout: 1000 }).toEqual([{ kind: 'key', id: 'k1' }])
  await database.sql`insert into changes (kind, ref) values ('app', 'a1')`
  await expect
    .poll(() => changes, { timeout: 1000 })
    .toEqual([
      { kind: 'key', id: 'k1' },
      { kind: 'app', id: 'a1' },
    ])
})

it('tells of a change that became visible after a later one', async () => {
  await listen()
  const slow = await database.sql.reserve()
  await slow`begin`
  await slow`insert into changes (kind, ref) values ('key', 'slow')`
  await store.putApp({ id: 'fast', definition: {}, updatedAt: 1 })
  await expect.poll(() => changes).toEqual([{ kind: 'app', id: 'fast' }])
  await slow`commit`
  slow.release()
  await expect
    .poll(() => changes)
    .toEqual([
      { kind: 'app', id: 'fast' },
      { kind: 'key', id: 'slow' },
    ])
})

it('I4: tells all that happened since it last read, though it stood still for longer than any read covers', async () => {
  const connection = database.connection
  store = await openPostgres({ connection, telemetry: new Recorder() })
  const health = new Health(new Recorder()).reads
  const options = { connection, patience: PATIENCE, node: 'ab12', health, watch: new NodeWatch(), visitor: true }
  const paused = new Changes({ ...options, shared: false, windowMs: 100 })
  const told: Change[] = []
  paused.subscribe((change) => told.push(change))
  await paused.open()
  const cancel = { kind: 'cancel', sessionId: randomUUID(), runId: 'r1' } as const
  const asked =
    database.sql`insert into changes (kind, ref) values ('session', ${toldTo('cancel', { node: 'ab12', ...cancel })})`.execute()
  await nextTurn()
  // As a machine that is paused, or a loop that is blocked.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700)
  await asked
  await expect.poll(() => told).toEqual([cancel])
  await paused.close()
})

it('I4: tells the process that has a run on what is said of it, and no other', async () => {
  await listen()
  const run = { sessionId: randomUUID(), runId: 'r1 of a client' }
  await store.tellElsewhere('watched', [
    { node: store.node, ...run },
    { node: 'ab12', ...run },
  ])
  await store.tellElsewhere('cancel', [{ node: store.node, ...run }])
  await expect
    .poll(() => changes)
    .toEqual([
      { kind: 'watched', ...run },
      { kind: 'cancel', ...run },
    ])
})

it('keeps what was written for a minute, and stops for an hour: a process that stood still has yet to hear of them', async () => {
  await listen()
  const stop = toldTo('cancel', { node: 'ab12', sessionId: randomUUID(), runId: 'r1' })
  await database.sql`
    insert into changes (kind, ref, at) values ('session', ${`ab12 ${randomUUID()}`}, now() - interval '2 minutes'),
      ('session', ${stop}, now() - interval '2 minutes'), ('session', ${`${stop}2`}, now() - interval '2 hours')`
  const now = performance.now.bind(performance)
  const later = vi.spyOn(performance, 'now').mockImplementation(() => now() + 61_000)
  onTestFinished(() => later.mockRestore())
  const old = () => database.sql`select ref from changes where at < now() - interval '1 minute'`
  await expect.poll(old, { timeout: 2000 }).toEqual([{ ref: stop }])
})

it('tells nothing of what happened before it started', async () => {
  await database.sql`insert into changes (kind, ref) values ('key', 'old')`
  await listen()
  await store.putApp({ id: 'new', definition: {}, updatedAt: 1 })
  await expect.poll(() => changes).toEqual([{ kind: 'app', id: 'new' }])
})

it('says nothing of a store that is away when it is closed in the middle of a read', async () => {
  const telemetry = new Recorder()
  store = await openPostgres({ connection: database.connection, telemetry })
  const blocker = await database.sql.reserve()
  await blocker`begin`
  await blocker`lock table changes in access exclusive mode`
  await expect
    .poll(() => blocker`select from pg_locks where relation = 'changes'::regclass and not granted`)
    .toHaveLength(1)
  await store.close()
  await blocker`rollback`
  blocker.release()
  expect(telemetry.events).toEqual([])
})

it('says everything when its connection was lost, and listens again', async () => {
  await listen()
  await database.sql`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and query like '%from changes%' and pid <> pg_backend_pid()`
  await expect.poll(() => changes).toEqual([{ kind: 'everything' }])
  await store.putApp({ id: 'again', definition: {}, updatedAt: 1 })
  await expect.poll(() => changes).toEqual([{ kind: 'everything' }, { kind: 'app', id: 'again' }])
})
