import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExportLine, SessionFilter } from '../../src/ports/privacy.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { answered, message, NOW, run, session } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

const DAY = 86_400_000
let database: TestDatabase
let store: PostgresStorage
let other: PostgresStorage

beforeAll(async () => {
  database = await createTestDatabase()
  const open = () => openPostgres({ connection: database.connection, telemetry: new Recorder() })
  store = await open()
  other = await open()
})
afterAll(async () => {
  await store.close()
  await other.close()
  await database.drop()
})

async function read(filter: SessionFilter): Promise<ExportLine[]> {
  const lines: ExportLine[] = []
  for await (const line of store.exportSessions(filter)) lines.push(line)
  return lines
}

const idsIn = (lines: readonly ExportLine[]) => lines.flatMap((line) => (line.type === 'session' ? [line.id] : []))
const say = (line: ExportLine) => (line.type === 'message' ? line.content : line.type === 'end' ? line : line.id)

describe('an export', () => {
  it('has every field of a session, its runs in their order and their messages in theirs, and an end', async () => {
    const row = session({ app: randomUUID(), account: 'acme', user: 'ann', title: 'Tïtle', titleBy: 'person' })
    const usage = [{ inputTokens: 1, outputTokens: 2, totalTokens: 3 }]
    const node = store.node
    const first = run(row.id, 'r1', { position: 1, model: 'm', usage, startedAt: NOW + 1, endedAt: NOW + 2, node })
    const second = run(row.id, 'r0', { position: 2, status: 'running', startedAt: NOW + 3, node, parentRunId: 'r1' })
    const waits = run(row.id, 'q', { status: 'queued', queuedAt: NOW + 9 })
    const calls = [{ id: 'c1', name: 'echo', arguments: '{"a":1}' }]
    const blocks = { provider: 'puppet', content: ['signed'] }
    const growing = message(second, 1, { role: 'assistant', content: 'half' })
    const messages = [
      message(first, 2, { role: 'tool', content: 'gave', toolCallId: 'c1', isError: true }),
      message(first, 1, { role: 'assistant', toolCalls: calls, blocks, interrupted: true }),
      message(first, 0),
      message(second, 0),
      growing,
      message(waits, 0),
    ]
    const wallet = { address: '0xabc', chain: '1' }
    const runs = [first, second, waits]
    await store.commit({ sessionId: row.id, session: { ...row, wallet, archived: true }, runs, messages }, SOON)
    const more = { id: growing.id, runId: 'r0', from: 4, text: ' and more' }
    await store.commit({ sessionId: row.id, tails: [more] }, SOON)
    const at = new Date(NOW).toISOString()
    const of = { type: 'message', sessionId: row.id, createdAt: at }
    expect(await read({ app: row.app })).toEqual([
      {
        type: 'session',
        format: 1,
        id: row.id,
        app: row.app,
        account: 'acme',
        user: 'ann',
        status: 'idle',
        title: 'Tïtle',
        titleBy: 'person',
        wallet,
        archived: true,
        createdAt: at,
        updatedAt: at,
      },
      {
        type: 'run',
        id: 'r1',
        sessionId: row.id,
        status: 'finished',
        position: 1,
        model: 'm',
        usage,
        queuedAt: at,
        startedAt: '2026-01-02T03:04:05.679Z',
        endedAt: '2026-01-02T03:04:05.680Z',
      },
      { ...of, id: 'r1-0', runId: 'r1', index: 0, role: 'user', content: 'text r1-0' },
      {
        ...of,
        id: 'r1-1',
        runId: 'r1',
        index: 1,
        role: 'assistant',
        content: 'text r1-1',
        toolCalls: calls,
        interrupted: true,
      },
      { ...of, id: 'r1-2', runId: 'r1', index: 2, role: 'tool', content: 'gave', toolCallId: 'c1', isError: true },
      expect.objectContaining({ type: 'run', id: 'r0', status: 'running', position: 2, parentRunId: 'r1' }),
      { ...of, id: 'r0-0', runId: 'r0', index: 0, role: 'user', content: 'text r0-0' },
      { ...of, id: 'r0-1', runId: 'r0', index: 1, role: 'assistant', content: 'half and more' },
      expect.objectContaining({ type: 'run', id: 'q', status: 'queued' }),
      { ...of, id: 'q-0', runId: 'q', index: 0, role: 'user', content: 'text q-0' },
      { type: 'end', sessions: 1, runs: 3, messages: 6 },
    ])
  })

  it('says what a retry replaced', async () => {
    const write = answered()
    await store.commit(write, SOON)
    const again = run(write.sessionId, 'r2', { position: 2, replaces: 'r1' })
    await store.commit({ sessionId: write.sessionId, runs: [again], supersedeFromRun: 'r1' }, SOON)
    const runs = (await read({ session: write.sessionId })).filter(({ type }) => type === 'run')
    expect(runs).toMatchObject([
      { id: 'r1', superseded: true },
      { id: 'r2', replaces: 'r1' },
    ])
    expect(runs[1]).not.toHaveProperty('superseded')
  })

  it('I10: holds what the filter says and nothing else', async () => {
    const [app, elsewhere] = [randomUUID(), randomUUID()]
    const owners = {
      ann: { app, account: 'acme', user: 'ann' },
      bob: { app, account: 'acme', user: 'bob' },
      acme: { app, account: 'acme' },
      other: { app, account: 'other', user: 'ann' },
      nobody: { app },
      elsewhere: { app: elsewhere, account: 'acme', user: 'ann' },
    }
    const ids: Record<string, string> = {}
    for (const [name, owner] of Object.entries(owners)) {
      const write = answered(owner)
      ids[name] = write.sessionId
      await store.commit(write, SOON)
    }
    const found = async (filter: SessionFilter) => {
      const all = idsIn(await read(filter))
      return Object.keys(ids).filter((name) => all.includes(ids[name] ?? ''))
    }
    expect(await found({ app })).toEqual(['ann', 'bob', 'acme', 'other', 'nobody'])
    expect(await found({ app, account: 'acme' })).toEqual(['ann', 'bob', 'acme'])
    expect(await found({ app, account: 'acme', user: 'ann' })).toEqual(['ann'])
    expect(await found({ app, user: 'ann' })).toEqual(['ann', 'other'])
    expect(await found({ app, account: 'acme', user: null })).toEqual(['acme'])
    expect(await found({ app, account: null, user: null })).toEqual(['nobody'])
    expect(await found({ app, account: 'acme', user: null, session: ids['bob'] ?? '' })).toEqual([])
    expect(await read({ app, session: ids['elsewhere'] ?? '' })).toEqual([
      { type: 'end', sessions: 0, runs: 0, messages: 0 },
    ])
    expect((await store.listSessions({ app, account: 'acme' }, 2)).map(({ account }) => account)).toEqual([
      'acme',
      'acme',
    ])
  })

  it('goes through more sessions and messages than one read brings, each once', async () => {
    const app = randomUUID()
    const rows = Array.from({ length: 120 }, () => answered({ app }))
    await Promise.all(rows.map((write) => store.commit(write, SOON)))
    const long = answered({ app })
    const messages = Array.from({ length: 170 }, (_, index) => message(run(long.sessionId, 'r1'), index))
    await store.commit({ ...long, messages }, SOON)
    const lines = await read({ app })
    expect(lines.at(-1)).toEqual({ type: 'end', sessions: 121, runs: 121, messages: 120 * 2 + 170 })
    expect(idsIn(lines)).toEqual([...rows, long].map(({ sessionId }) => sessionId).toSorted())
    const said = lines.filter((line) => line.type === 'message' && line.sessionId === long.sessionId).map(say)
    expect(said).toEqual(messages.map(({ content }) => content))
  })

  it('is of one moment: what is written or deleted while it is read is not in it, or still is', async () => {
    const app = randomUUID()
    const rows = [answered({ app }), answered({ app }), answered({ app })]
    for (const write of rows) await store.commit(write, SOON)
    const lines = store.exportSessions({ app })
    const [first] = [(await lines.next()).value]
    const gone = rows.find(({ sessionId }) => first?.type === 'session' && sessionId !== first.id)
    const late = answered({ app })
    await other.commit(late, SOON)
    await other.delete(gone?.sessionId ?? '')
    const rest: ExportLine[] = []
    for await (const line of lines) rest.push(line)
    expect(rest.at(-1)).toEqual({ type: 'end', sessions: 3, runs: 3, messages: 6 })
    expect(idsIn(rest)).not.toContain(late.sessionId)
    expect(idsIn(await read({ app }))).toHaveLength(3)
  })

  it('lets its connection go when its reader leaves, in the middle, too', async () => {
    const app = randomUUID()
    for (let nth = 0; nth < 3; nth++) await store.commit(answered({ app }), SOON)
    const open = async () => {
      const [row] = await database.sql<{ count: number }[]>`
        select count(*)::integer as count from pg_stat_activity
        where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()`
      return row?.count
    }
    for await (const line of store.exportSessions({ app })) if (line.type === 'message') break
    await expect.poll(open).toBe(0)
  })
})

describe('retention', () => {
  const old = (app: string, days: number) => answered({ app, updatedAt: Date.now() - days * DAY })

  it('counts and removes what nobody wrote to, of this App only, and tells other processes', async () => {
    const [app, elsewhere] = [randomUUID(), randomUUID()]
    const [gone, kept, foreign] = [old(app, 31), old(app, 29), old(elsewhere, 31)]
    for (const write of [gone, kept, foreign]) await store.commit(write, SOON)
    const told: unknown[] = []
    const stop = other.subscribe((change) => told.push(change))
    const since = Date.now() - 30 * DAY
    expect(await store.countUntouched(app, since)).toBe(1)
    expect(await store.removeUntouched(app, since)).toBe(1)
    expect(await store.removeUntouched(app, since)).toBe(0)
    const left = await Promise.all([gone, kept, foreign].map(({ sessionId }) => store.load(sessionId)))
    expect(left.map((one) => one !== undefined)).toEqual([false, true, true])
    await expect.poll(() => told).toContainEqual({ kind: 'session', id: gone.sessionId, removed: true })
    stop()
  })

  it('leaves a session that is written to in the same moment, whole', async () => {
    const app = randomUUID()
    const rows = Array.from({ length: 30 }, () => old(app, 31))
    await Promise.all(rows.map((write) => store.commit(write, SOON)))
    const touch = ({ session: row, sessionId }: (typeof rows)[number]) => {
      const next = run(sessionId, 'r2', { position: 2 })
      const touched = { ...row, updatedAt: Date.now() }
      return other.commit(
        { sessionId, session: touched, known: true, runs: [next], messages: [message(next, 0)] },
        SOON,
      )
    }
    const [removed, ...written] = await Promise.allSettled([
      store.removeUntouched(app, Date.now() - 30 * DAY),
      ...rows.map(touch),
    ])
    const stayed = written.filter(({ status }) => status === 'fulfilled').length
    expect(removed).toEqual({ status: 'fulfilled', value: 30 - stayed })
    const lines = await read({ app })
    expect(lines.at(-1)).toEqual({ type: 'end', sessions: stayed, runs: 2 * stayed, messages: 3 * stayed })
  })

  it('stops when it is told to', async () => {
    const app = randomUUID()
    await store.commit(old(app, 31), SOON)
    expect(await store.removeUntouched(app, Date.now(), AbortSignal.abort())).toBe(0)
    expect(await store.countUntouched(app, Date.now())).toBe(1)
  })

  it('is one process’s at a time', async () => {
    const inner = await store.alone(async () => other.alone(async () => 'both'))
    expect(inner).toBeUndefined()
    expect(await other.alone(async () => 'after')).toBe('after')
    await expect(store.alone(async () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await other.alone(async () => 'after')).toBe('after')
  })
})

it('nothing of a deleted session is left in any table', async () => {
  const marks = { title: 'SECRET-TITLE', user: 'SECRET-USER', wallet: { address: 'SECRET-WALLET', chain: '1' } }
  const write = answered({ app: 'shop', account: 'acme', ...marks })
  const active = run(write.sessionId, 'r2', { status: 'running', position: 2, node: store.node, pending: [] })
  const growing = message(active, 1, { role: 'assistant', content: 'SECRET-TEXT' })
  await store.commit(
    { ...write, runs: [...write.runs, active], messages: [...write.messages, message(active, 0), growing] },
    SOON,
  )
  await store.commit(
    { sessionId: write.sessionId, tails: [{ id: growing.id, runId: active.id, from: 11, text: ' SECRET-TAIL' }] },
    SOON,
  )
  const tables = await database.sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public'`
  const holding = async (needle: string) => {
    const found = await Promise.all(
      tables.map(async ({ name }) => {
        const rows = await database.sql.unsafe(`select from ${name} t where to_jsonb(t)::text like $1`, [`%${needle}%`])
        return rows.length > 0 ? [name] : []
      }),
    )
    return found.flat().toSorted()
  }
  expect(await holding('SECRET')).toEqual(['message_tails', 'messages', 'sessions'])
  await store.delete(write.sessionId)
  expect(await holding('SECRET')).toEqual([])
  // Its random id, for the other processes; it goes within an hour.
  expect(await holding(write.sessionId)).toEqual(['changes'])
})
