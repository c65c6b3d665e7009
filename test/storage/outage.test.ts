import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Change } from '../../src/ports/store.ts'
import { type Connection, connect } from '../../src/storage/connection.ts'
import { isAlive } from '../../src/storage/embedded-cluster.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { answered, message, run, session } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { OwnServer } from './own-server.ts'
import { Recorder } from './recorder.ts'

const NEVER = { giveUpAfterMs: 'never' } as const
const AWAY = { code: 'store_unavailable' }
/** Short, so that a paused server is noticed soon; still longer than a busy machine needs for an answer. */
const patience = { statementMs: 700, answerMs: 1000, connectMs: 1000 }
const LONG = { timeout: 30_000 }
const SLOW = { timeout: 10_000 }

describe('when Postgres is away', LONG, () => {
  const server = new OwnServer()
  const opened: PostgresStorage[] = []
  let connection: Connection
  const open = async () => {
    const telemetry = new Recorder()
    const store = await openPostgres({ connection, telemetry, patience, poolSize: 2 })
    opened.push(store)
    return { store, telemetry }
  }
  beforeAll(async () => {
    ;({ connection } = await server.start())
  })
  afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())))
  afterAll(() => server.remove())

  it('a paused server: bounded writes are refused, what must never be given up is saved, and all works again by itself', async () => {
    const { store, telemetry } = await open()
    const [known, lost, kept] = [answered(), answered(), answered()]
    await store.commit(known, SOON)
    server.signalAll('SIGSTOP')
    try {
      const saved = store.commit(kept, NEVER)
      await expect(store.commit(lost, { giveUpAfterMs: 100 })).rejects.toMatchObject(AWAY)
      await expect(store.load(known.sessionId)).rejects.toMatchObject(AWAY)
      expect([telemetry.read('store_up'), telemetry.read('store_queue')]).toEqual([0, 1])
      server.signalAll('SIGCONT')
      await saved
    } finally {
      server.signalAll('SIGCONT')
    }
    expect((await store.load(kept.sessionId))?.session).toEqual(kept.session)
    expect((await store.load(known.sessionId))?.session).toEqual(known.session)
    expect(telemetry.read('store_up')).toBe(1)
    expect(telemetry.events).toEqual(['store away', 'store back'])
  })

  it('a stopped and started server: nothing acknowledged is lost, waiting writes are saved, listeners re-read everything', async () => {
    const { store } = await open()
    const other = await open()
    const changes: Change[] = []
    store.subscribe((change) => changes.push(change))
    const row = session({ status: 'processing' })
    const running = run(row.id, 'r1', { status: 'running', position: 1, node: store.node })
    await store.commit({ sessionId: row.id, session: row, runs: [running], messages: [message(running, 0)] }, SOON)
    await server.stop()
    await expect(store.ping()).rejects.toMatchObject(AWAY)
    await expect(openPostgres({ connection, telemetry: new Recorder(), patience })).rejects.toMatchObject(AWAY)
    const saved = store.commit({ sessionId: row.id, messages: [message(running, 1, { role: 'assistant' })] }, NEVER)
    await server.start()
    await saved
    await expect.poll(() => changes).toContainEqual({ kind: 'everything' })
    expect((await store.history(row.id, { maxMessages: 9, maxBytes: 999 })).messages).toHaveLength(2)
    // The lock that says this process lives is held again.
    await expect.poll(async () => (await other.store.load(row.id))?.openRuns[0]?.nodeAlive).toBe(true)
  })

  it('I1: a stopped and started server: no process that lives is taken for dead by one that is back before it', async () => {
    const [{ store }, looker, sql] = [await open(), await open(), connect(connection, { max: 1 })]
    const row = session({ status: 'processing' })
    const running = run(row.id, 'r1', { status: 'running', position: 1, node: store.node })
    await store.commit({ sessionId: row.id, session: row, runs: [running] }, SOON)
    const seen = new Set<boolean | undefined>()
    const look = async () => {
      for (const { nodeAlive } of (await looker.store.load(row.id))?.openRuns ?? []) seen.add(nodeAlive)
    }
    await look()
    await server.stop()
    await server.start()
    await expect
      .poll(async () => {
        await look().catch(() => undefined)
        return sql`select from pg_locks l where l.locktype = 'advisory' and l.objsubid = 2 and l.granted`
      })
      .toHaveLength(2)
    await look()
    expect([...seen]).toEqual([true])
    await sql.end()
  })

  it('a database that only reads: it is read, and is away to logs, metrics and who asks until it takes writes again', async () => {
    const { store, telemetry } = await open()
    const sql = connect(connection, { max: 1 })
    const known = answered()
    await store.commit(known, SOON)
    await sql`alter system set default_transaction_read_only = on`
    await sql`select pg_reload_conf()`
    try {
      await expect
        .poll(() => sql`show default_transaction_read_only`)
        .toEqual([{ default_transaction_read_only: 'on' }])
      await expect(store.commit(answered(), { giveUpAfterMs: 100 })).rejects.toMatchObject(AWAY)
      for (let times = 0; times < 10; times++) {
        expect((await store.load(known.sessionId))?.session).toEqual(known.session)
        await delay(100)
        await expect(store.ping()).rejects.toMatchObject(AWAY)
        expect(telemetry.read('store_up')).toBe(0)
      }
    } finally {
      await sql`set default_transaction_read_only = off`
      await sql`alter system reset default_transaction_read_only`
      await sql`select pg_reload_conf()`
      await sql.end()
    }
    await expect.poll(() => telemetry.read('store_up'), SLOW).toBe(1)
    await store.ping()
    expect(telemetry.events).toEqual(['store away', 'store back'])
  })

  it('a killed server is started again, and has all that was acknowledged', async () => {
    const { store } = await open()
    const before = Array.from({ length: 20 }, () => answered())
    await Promise.all(before.map((write) => store.commit(write, SOON)))
    const killed = server.pid
    process.kill(killed, 'SIGKILL')
    const during = answered()
    await store.commit(during, NEVER)
    await expect.poll(() => server.logged, SLOW).toEqual(['embedded postgres ended', 'embedded postgres started again'])
    expect(server.pid).not.toBe(killed)
    await expect
      .poll(
        () =>
          store.ping().then(
            () => 'up',
            () => 'away',
          ),
        SLOW,
      )
      .toBe('up')
    const loaded = await Promise.all([...before, during].map(({ sessionId }) => store.load(sessionId)))
    expect(loaded.map((one) => one?.session)).toEqual([...before, during].map((write) => write.session))
  })

  it('a write whose answer got lost is never carried out after a newer one', async () => {
    const { store, telemetry } = await open()
    const write = answered({ title: 'first' })
    await store.commit(write, SOON)
    const sql = connect(connection, { max: 1 })
    const [writer] = await sql<{ pid: number }[]>`
      select pid from pg_stat_activity where query like '%fenced as materialized%' and pid <> pg_backend_pid()`
    // Signals to 0 would reach this process and all of its group.
    if (writer === undefined) throw new Error('no connection has written')
    const { pid } = writer
    const titled = (title: string) => ({ ...write, session: { ...write.session, title } })
    process.kill(pid, 'SIGSTOP')
    try {
      const older = store.commit(titled('older'), NEVER)
      await expect.poll(() => telemetry.events, SLOW).toContain('store away')
      const newer = store.commit(titled('newer'), NEVER)
      process.kill(pid, 'SIGCONT')
      await Promise.all([older, newer])
    } finally {
      if (isAlive(pid)) process.kill(pid, 'SIGCONT')
    }
    expect((await store.load(write.sessionId))?.session.title).toBe('newer')
    await sql.end()
  })
})
