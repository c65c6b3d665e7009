/**
 * Parley's store in a process of its own, as its server uses it, on an embedded Postgres (or `DATABASE_URL`): what a durable
 * write takes, beside the plainest ones that the same database can do.
 */
import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import type { SessionWrite } from '../src/ports/store.ts'
import type { Telemetry } from '../src/ports/telemetry.ts'
import { connect } from '../src/storage/connection.ts'
import { migrate } from '../src/storage/migrate.ts'
import { choosePlace } from '../src/storage/open.ts'
import { openPostgres } from '../src/storage/postgres.ts'
import { Latencies } from './load/latencies.ts'
import { serve } from './rig/rpc.ts'

export type WriterCommand =
  | { readonly do: 'open'; readonly dataDir: string }
  | { readonly do: 'measure' }
  | { readonly do: 'close' }

/** Times in ms, rates per second. */
export type WriteFigures = {
  readonly commitP50: number
  readonly insertP50: number
  readonly commits: number
  readonly writesPerFlush: number
  readonly transactions: number
}

const APP = 'bench'
const CONTENT = 'What a person writes in one message is about as long as this, or a little longer.'
const [WARM_UP, ONE_BY_ONE] = [100, 1000]
const SENDERS = 500
const SECONDS = 4
/** Connections of those who write a transaction each. */
const POOL = 10
const MICROSECONDS_PER_MS = 1000
const GIVE_UP_AFTER_MS = 30_000

type Opened = {
  readonly commit: (write: SessionWrite) => Promise<void>
  readonly flushes: number[]
  readonly sql: Sql
  readonly close: () => Promise<void>
}
let opened: Opened | undefined

async function open(dataDir: string): Promise<void> {
  const flushes: number[] = []
  const telemetry: Telemetry = {
    log: () => {},
    count: () => {},
    gauge: () => {},
    observe: (metric, value) => void (metric === 'store_flush_writes' && flushes.push(value)),
  }
  const url = process.env.DATABASE_URL
  const place = await choosePlace({ dataDir, ...(url ? { databaseUrl: url } : {}), env: process.env }, telemetry)
  await migrate(place.connection)
  const store = await openPostgres({ connection: place.connection, telemetry })
  const sql = connect(place.connection, { max: POOL })
  await sql`create table if not exists bench_plain (id uuid primary key, content text)`
  opened = {
    commit: (write) => store.commit(write, { giveUpAfterMs: GIVE_UP_AFTER_MS }),
    flushes,
    sql,
    close: async () => {
      await sql`drop table bench_plain`
      await sql.end()
      await store.close()
      await place.stop()
    },
  }
}

/** A first message: its session, its run and itself. */
function firstMessage(): SessionWrite {
  const [sessionId, now] = [randomUUID(), Date.now()]
  return {
    sessionId,
    session: { id: sessionId, app: APP, status: 'processing', createdAt: now, updatedAt: now },
    runs: [{ id: 'r', sessionId, status: 'running', position: 1, queuedAt: now, startedAt: now, node: APP, fence: 1 }],
    messages: [{ id: 'm', sessionId, runId: 'r', index: 0, role: 'user', content: CONTENT, createdAt: now }],
  }
}

async function transaction(sql: Sql): Promise<void> {
  const id = randomUUID()
  await sql.begin(async (tx) => {
    await tx`insert into sessions (id, app, status, created_at, updated_at) values (${id}, ${APP}, 'processing', now(), now())`
    await tx`insert into runs (session_id, id, status, position, queued_at, started_at, node, fence)
      values (${id}, 'r', 'running', 1, now(), now(), ${APP}, 1)`
    await tx`insert into messages (session_id, id, run_id, index, role, content, created_at)
      values (${id}, 'm', 'r', 0, 'user', ${CONTENT}, now())`
  })
}

/** One after the other, taking turns, so that a change of the machine's mood falls on all alike. */
async function p50Of(...works: readonly (() => Promise<unknown>)[]): Promise<readonly number[]> {
  const times = works.map(() => new Latencies())
  for (let nth = 0; nth < WARM_UP + ONE_BY_ONE; nth++) {
    for (const [which, work] of works.entries()) {
      const start = performance.now()
      await work()
      if (nth >= WARM_UP) times[which]?.add((performance.now() - start) * MICROSECONDS_PER_MS)
    }
  }
  return times.map((each) => each.summary().p50)
}

/** How often per second, by so many at the same time. */
async function rateOf(work: () => Promise<unknown>): Promise<number> {
  let done = 0
  const end = performance.now() + SECONDS * 1000
  const keepOn = async (): Promise<void> => {
    while (performance.now() < end) {
      await work()
      done++
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: SENDERS }, keepOn))
  return done / ((performance.now() - start) / 1000)
}

async function measure({ commit, flushes, sql }: Opened): Promise<WriteFigures> {
  const [commitP50 = Number.NaN, insertP50 = Number.NaN] = await p50Of(
    () => commit(firstMessage()),
    () => sql`insert into bench_plain values (${randomUUID()}, ${CONTENT})`,
  )
  const transactions = await rateOf(() => transaction(sql))
  flushes.length = 0
  const commits = await rateOf(() => commit(firstMessage()))
  const writesPerFlush = flushes.reduce((sum, writes) => sum + writes, 0) / flushes.length
  return { commitP50, insertP50, commits, writesPerFlush, transactions }
}

async function handle(text: string): Promise<unknown> {
  const command: WriterCommand = JSON.parse(text)
  if (command.do === 'open') return open(command.dataDir)
  if (command.do === 'close') return opened?.close()
  if (opened === undefined) throw new Error('not open')
  return measure(opened)
}

serve(handle)
