import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { NodeWatch } from '../../src/storage/node-watch.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { run, session } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { OwnServer } from './own-server.ts'
import { Recorder } from './recorder.ts'

/** Milliseconds between looks at what changed, and more than any test has. */
const [LOOK_MS, NEVER_MS] = [500, 60_000]

describe('I1: a process whose lock is free', () => {
  let watch: NodeWatch

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] })
    watch = new NodeWatch()
  })
  afterEach(() => void vi.useRealTimers())

  it('is dead at once when this process never saw it live: it died before', () => {
    expect([watch.isAlive('a', true), watch.isAlive('b', false)]).toEqual([true, false])
  })

  it('is dead once it was seen free twice, half a second apart', () => {
    watch.saw(['a'])
    expect(watch.isAlive('a', false)).toBe(true)
    vi.advanceTimersByTime(499)
    expect(watch.isAlive('a', false)).toBe(true)
    vi.advanceTimersByTime(1)
    expect([watch.isAlive('a', false), watch.isAlive('a', false)]).toEqual([false, false])
  })

  it('has that time from the look at all locks on that first misses it', () => {
    watch.isAlive('a', true)
    vi.advanceTimersByTime(10_000)
    watch.saw(['b'])
    vi.advanceTimersByTime(500)
    expect(watch.isAlive('a', false)).toBe(false)
  })

  it('lives on when it takes its lock again within that time, and has all of it the next time', () => {
    watch.saw(['a'])
    watch.saw([])
    vi.advanceTimersByTime(499)
    watch.saw(['a'])
    vi.advanceTimersByTime(10_000)
    expect(watch.isAlive('a', false)).toBe(true)
  })

  it.each([
    ['is not dead for five seconds from the start of a server that restarted as this one began', 1000, 4000],
    ['is dead at once when this process begins at a server that has run for longer', 60_000, 0],
  ])('%s', (_what, serverUpMs, aliveMs) => {
    watch.begin(serverUpMs)
    watch.back()
    watch.saw([])
    if (aliveMs > 0) vi.advanceTimersByTime(aliveMs - 1)
    expect(watch.isAlive('b', false)).toBe(aliveMs > 0)
    vi.advanceTimersByTime(1)
    expect(watch.isAlive('b', false)).toBe(false)
  })

  it('is not dead while this process has not its own, nor for five seconds after: who lost it may have been the server', () => {
    watch.saw(['a'])
    watch.lost()
    vi.advanceTimersByTime(60_000)
    expect([watch.isAlive('a', false), watch.isAlive('b', false)]).toEqual([true, true])
    watch.back()
    vi.advanceTimersByTime(4999)
    expect([watch.isAlive('a', false), watch.isAlive('b', false)]).toEqual([true, true])
    vi.advanceTimersByTime(500)
    watch.saw([])
    vi.advanceTimersByTime(500)
    expect([watch.isAlive('a', false), watch.isAlive('b', false)]).toEqual([false, false])
  })
})

describe('a process that begins at a server which has just started', () => {
  it('I1: takes nobody for dead where others use it, too; where it is its own, at once', async () => {
    const server = new OwnServer()
    const { connection } = await server.start()
    const options = { connection, telemetry: new Recorder(), poolSize: 2 }
    const [shared, alone] = [await openPostgres({ ...options, shared: true }), await openPostgres(options)]
    const row = session({ status: 'processing' })
    const running = run(row.id, 'r1', { status: 'running', position: 1, node: 'ffffffffffffffff' })
    await alone.commit({ sessionId: row.id, session: row, runs: [running] }, SOON)
    const seen = [shared, alone].map(async (store) => (await store.load(row.id))?.openRuns[0]?.nodeAlive)
    expect(await Promise.all(seen)).toEqual([true, false])
    await Promise.all([shared.close(), alone.close()])
    await server.remove()
  })
})

describe('a process that lives and loses the connection that holds its lock', () => {
  let database: TestDatabase
  const opened: PostgresStorage[] = []

  const open = async (): Promise<PostgresStorage> => {
    const store = await openPostgres({ connection: database.connection, telemetry: new Recorder(), poolSize: 2 })
    opened.push(store)
    return store
  }
  const holders = (node: string) => database.sql<{ pid: number }[]>`
    select l.pid from pg_locks l where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
      and lpad(to_hex(l.classid::bigint), 8, '0') || lpad(to_hex(l.objid::bigint), 8, '0') = ${node}`
  /** Resolves when they are gone. */
  const cut = async (...nodes: string[]): Promise<void> => {
    for (const node of nodes)
      for (const { pid } of await holders(node)) await database.sql`select pg_terminate_backend(${pid}, 5000)`
  }

  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())))
  afterAll(() => database.drop())

  /** A run in one process, as another sees it. */
  async function followed() {
    const [owner, looker] = [await open(), await open()]
    const row = session({ status: 'processing' })
    const running = run(row.id, 'r1', { status: 'running', position: 1, node: owner.node })
    await owner.commit({ sessionId: row.id, session: row, runs: [running] }, SOON)
    const isAlive = async () => (await looker.load(row.id))?.openRuns[0]?.nodeAlive
    expect(await isAlive()).toBe(true)
    return { owner, looker, isAlive }
  }

  it('I1: takes it again at once, not with its next look at what changed', async () => {
    const { setTimeout: later } = globalThis
    const slowly = (task: () => void, ms: number, ...given: []) => later(task, ms === LOOK_MS ? NEVER_MS : ms, ...given)
    vi.stubGlobal('setTimeout', slowly)
    const { owner } = await followed()
    await cut(owner.node)
    await expect.poll(() => holders(owner.node)).toHaveLength(1)
  })

  it.each([
    ['its own only', false],
    ['that of whoever looks as well', true],
  ])('I1: is at no time taken for dead: %s', async (_which, both) => {
    const { owner, looker, isAlive } = await followed()
    const held = async () => (await holders(owner.node)).length + (await holders(looker.node)).length
    const cuts = { done: false }
    const cutting = cut(owner.node, ...(both ? [looker.node] : [])).finally(() => {
      cuts.done = true
    })
    const seen = new Set<boolean | undefined>()
    while (!cuts.done || (await held()) < 2) seen.add(await isAlive())
    await cutting
    seen.add(await isAlive())
    expect([...seen]).toEqual([true])
  })
})
