import { rmSync } from 'node:fs'
import type { Sql } from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { inspect, inspectStorage } from '../../src/storage/inspect.ts'
import { INVARIANTS } from '../../src/storage/invariants.ts'
import { openStorage } from '../../src/storage/open.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { answered, key, message, run, session } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { makeDirectory } from './own-server.ts'
import { Recorder } from './recorder.ts'

const LONG = { timeout: 30_000 }
const ID = '0badf00d-0000-4000-8000-000000000000'
const STARTED = { startedAt: Date.UTC(2026, 0, 2), queuedAt: Date.UTC(2026, 0, 2), node: 'n', model: 'm' }
const ENDED = { ...STARTED, endedAt: Date.UTC(2026, 0, 2) }

/** A conversation that is whole: a call with its result, a retry, a queue, a removed send. */
async function fill(store: PostgresStorage): Promise<void> {
  const row = session({ id: ID, status: 'processing', title: 'a secret title', titleBy: 'start' })
  const [first, second] = [run(ID, 'r1', { ...ENDED, position: 1 }), run(ID, 'r2', { ...ENDED, position: 2 })]
  const queued = run(ID, 'r3', { status: 'queued' })
  const removed = run(ID, 'r4', { status: 'removed', endedAt: Date.UTC(2026, 0, 2) })
  const call = { id: 'c1', name: 'clock', arguments: '{}' }
  const messages = [
    message(first, 0, { content: 'a secret text' }),
    message(first, 1, { role: 'assistant', toolCalls: [call] }),
    message(first, 2, { role: 'tool', toolCallId: 'c1' }),
    message(first, 3, { role: 'assistant' }),
    ...[second, queued, removed].map((one) => message(one, 0)),
  ]
  await store.commit({ sessionId: ID, session: row, runs: [first, second, queued, removed], messages }, SOON)
  await store.putApp({ id: 'shop', definition: { name: 'a secret name' }, updatedAt: 0 })
  await store.createKey(key({ id: 'keyofshop', apps: ['shop'] }))
}

/** How each invariant is broken on purpose, what is to be named, and how many. */
const DAMAGE: readonly (readonly [string, string, (sql: Sql) => Promise<unknown>, object])[] = [
  ['positions', 'a gap', (sql) => sql`update runs set position = 3 where id = 'r2'`, { session: '0badf00d' }],
  [
    'positions',
    'one twice',
    async (sql) => {
      await sql`drop index runs_by_position`
      await sql`update runs set position = 1 where id = 'r2'`
    },
    { session: '0badf00d' },
  ],
  ['started-runs', 'no node', (sql) => sql`update runs set node = null where id = 'r1'`, { item: 'r1' }],
  [
    'started-runs',
    'a queued one that has one',
    (sql) => sql`update runs set position = 3 where id = 'r3'`,
    { item: 'r3' },
  ],
  [
    'one-running',
    'two',
    async (sql) => {
      await sql`drop index runs_one_running`
      await sql`update runs set status = 'running', ended_at = null where id in ('r1', 'r2')`
    },
    { session: '0badf00d' },
  ],
  ['questions', 'none of a queued run', (sql) => sql`delete from messages where run_id = 'r3'`, { item: 'r3' }],
  ['replaced-runs', 'still shown', (sql) => sql`update runs set replaces = 'r1' where id = 'r2'`, { item: 'r2' }],
  [
    'orphan-runs',
    'no session',
    async (sql) => {
      await sql`alter table runs drop constraint runs_session_id_fkey`
      await sql`delete from sessions`
    },
    { session: '0badf00d', item: 'r1' },
  ],
  [
    'run-times',
    'ended before it began',
    (sql) => sql`update runs set ended_at = '2025-01-01' where id = 'r1'`,
    { item: 'r1' },
  ],
  ['run-times', 'never ended', (sql) => sql`update runs set ended_at = null where id = 'r1'`, { item: 'r1' }],
  [
    'pending-calls',
    'though the session went on',
    (sql) => sql`update runs set pending = '[{"toolCallId": "c1"}]' where id = 'r1'`,
    { item: 'r1' },
  ],
  [
    'pending-calls',
    'of a run that was stopped',
    (sql) => sql`update runs set pending = '[]', status = 'cancelled' where id = 'r2'`,
    { item: 'r2' },
  ],
  [
    'calls-answered',
    'no result',
    (sql) => sql`update messages set tool_call_id = 'c9' where role = 'tool'`,
    { item: 'r1' },
  ],
  ['results-asked-for', 'no call', (sql) => sql`update messages set tool_calls = null`, { item: 'r1' }],
  [
    'message-indexes',
    'a hole',
    (sql) => sql`update messages set index = 7 where run_id = 'r1' and index = 3`,
    { session: '0badf00d', item: 'r1' },
  ],
  ['message-indexes', 'one twice', (sql) => sql`update messages set index = 1 where role = 'tool'`, { item: 'r1' }],
  [
    'orphan-messages',
    'no run',
    async (sql) => {
      await sql`alter table messages drop constraint messages_session_id_run_id_fkey`
      await sql`delete from runs where id = 'r4'`
    },
    { item: 'r4' },
  ],
  [
    'tails',
    'of a run that has ended',
    (sql) => sql`
      insert into message_tails (session_id, run_id, message_id, start, text)
      select session_id, run_id, id, 1, 'secret' from messages where run_id = 'r1' and index = 3`,
    { item: 'r1' },
  ],
  [
    'tails',
    'of no message',
    async (sql) => {
      await sql`update runs set status = 'running', ended_at = null where id = 'r2'`
      await sql`insert into message_tails values (${ID}, 'r2', 'nothing', 0, 'secret')`
    },
    { item: 'r2' },
  ],
  [
    'session-status',
    'idle while a run is on',
    async (sql) => {
      await sql`update runs set status = 'running', ended_at = null where id = 'r2'`
      await sql`update sessions set status = 'idle'`
    },
    { item: 'r2' },
  ],
  [
    'session-status',
    'interrupted though the last run ended well',
    async (sql) => {
      await sql`update runs set status = 'removed', ended_at = queued_at where id = 'r3'`
      await sql`update sessions set status = 'interrupted'`
    },
    { item: 'r2' },
  ],
  ['titles', 'nobody gave it', (sql) => sql`update sessions set title_by = null`, { session: '0badf00d' }],
  ['titles', 'too long', (sql) => sql`update sessions set title = repeat('x', 201)`, { session: '0badf00d' }],
  ['session-times', 'in the future', (sql) => sql`update sessions set updated_at = now() + interval '2 days'`, {}],
  ['keys-with-apps', 'its App is gone', (sql) => sql`delete from key_apps`, { item: 'keyofsho' }],
  ['key-tags', 'of 17 bits', (sql) => sql`update keys set tag = 65536`, { item: 'keyofsho' }],
]

describe('inspect', () => {
  let database: TestDatabase
  let store: PostgresStorage
  beforeEach(async () => {
    database = await createTestDatabase()
    store = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
    await fill(store)
  })
  afterEach(async () => {
    await store.close()
    await database.drop()
  })

  it('takes an operator’s key, which opens no App, for whole', async () => {
    const row = key({ scopes: ['operator'], apps: [] })
    await store.createKey(row)
    expect((await inspect(database.connection)).broken).toEqual([])
  })

  it('takes what the deletion of an App leaves for whole', async () => {
    await store.createKey(key({ scopes: ['admin'], apps: ['shop'] }))
    await store.deleteApp('shop')
    expect((await inspect(database.connection)).broken).toEqual([])
  })

  it('finds nothing in a database that is whole, and counts its rows', async () => {
    const { broken, rows, checked } = await inspect(database.connection)
    expect(broken).toEqual([])
    expect(rows).toEqual({ sessions: 1, runs: 4, messages: 7, apps: 1, keys: 1 })
    expect(checked).toBe(INVARIANTS.length)
  })

  it.each(DAMAGE)('names %s: %s', async (name, _what, damage, example) => {
    await damage(database.sql)
    const { broken } = await inspect(database.connection)
    const found = broken.find((one) => one.name === name)
    expect(found?.examples[0]).toMatchObject(example)
    expect(found?.count).toBeGreaterThan(0)
    expect(JSON.stringify(broken)).not.toMatch(/secret|0badf00d-/)
  })

  it('has a way to break every invariant', () => {
    expect(new Set(DAMAGE.map(([name]) => name))).toEqual(new Set(INVARIANTS.map(({ name }) => name)))
  })

  it('gives few examples of many, and how many there are', async () => {
    const many = Array.from({ length: 9 }, () => answered())
    await Promise.all(many.map((write) => store.commit(write, SOON)))
    await database.sql`delete from messages where index = 0`
    const { broken } = await inspect(database.connection)
    const questions = broken.find(({ name }) => name === 'questions')
    expect([questions?.count, questions?.examples.length]).toEqual([13, 5])
  })

  it('counts what is mended when a session is opened, and takes a run of a process that lives for none of it', async () => {
    const rows = [
      session({ status: 'processing' }),
      session({ status: 'processing' }),
      session({ status: 'processing' }),
    ]
    const nodes = [store.node, 'f'.repeat(16)]
    for (const [at, row] of rows.entries()) {
      const node = nodes[at]
      const on = run(row.id, 'on', {
        ...STARTED,
        status: 'running',
        position: 1,
        ...(node === undefined ? {} : { node }),
      })
      const write = node === undefined ? {} : { runs: [on], messages: [message(on, 0)] }
      await store.commit({ sessionId: row.id, session: row, ...write }, SOON)
    }
    const { waiting, broken } = await inspect(database.connection)
    expect(broken).toEqual([])
    expect(waiting).toEqual({ deadRuns: 1, queues: 1, statuses: 1 })
  })

  it('is refused on a database of another version, or of no Parley, with what to do', async () => {
    await database.sql`update schema_version set version = 1`
    await expect(inspect(database.connection)).rejects.toThrow('run parley migrate first')
    await database.sql`update schema_version set version = 99`
    await expect(inspect(database.connection)).rejects.toThrow('run a newer Parley')
    await database.sql`drop table schema_version`
    await expect(inspect(database.connection)).rejects.toThrow('no tables of Parley')
  })
})

describe('inspectStorage', LONG, () => {
  const dataDir = makeDirectory('parley-check-')
  let stop: () => Promise<void> = async () => {}
  beforeAll(async () => {
    const storage = await openStorage({ dataDir }, new Recorder())
    stop = () => storage.close()
    await fill(storage.store)
  })
  afterAll(async () => {
    await stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('looks at the embedded database while a server has it open, and when it is down', async () => {
    const beside = await inspectStorage({ dataDir }, new Recorder())
    expect(beside).toMatchObject({ broken: [], rows: { sessions: 1 } })
    expect(beside.description).toContain('already running')
    await stop()
    const alone = await inspectStorage({ dataDir }, new Recorder())
    expect(alone).toMatchObject({ broken: [], rows: { sessions: 1 } })
    expect(alone.description).not.toContain('already running')
  })

  it('makes no database where there is none', async () => {
    const empty = makeDirectory('parley-check-')
    await expect(inspectStorage({ dataDir: empty }, new Recorder())).rejects.toThrow('There is no database')
    rmSync(empty, { recursive: true })
  })
})
