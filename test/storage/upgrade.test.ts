import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../src/storage/connection.ts'
import { migrate, readSteps } from '../../src/storage/migrate.ts'
import { openPostgres } from '../../src/storage/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { readCatalog } from './catalog.ts'
import { Recorder } from './recorder.ts'

const DUMPS = new URL('./dumps/', import.meta.url)
const TABLES = ['accounts', 'apps', 'keys', 'key_apps', 'sessions', 'runs', 'messages', 'changes'] as const
/** Session …0004 of the dump of version 1 has a position twice. */
const TWICE = '00000000-0000-4000-8000-000000000004'
const ALL = { maxMessages: 100, maxBytes: 1e6 }

const latest = readSteps().at(-1)?.version ?? 0
const databases: TestDatabase[] = []
afterEach(() => Promise.all(databases.splice(0).map((database) => database.drop())))

async function empty(): Promise<TestDatabase> {
  const database = await createTestDatabase({ migrated: false })
  databases.push(database)
  return database
}

/** On a connection of its own: a dump changes the connection's settings. */
async function load(name: string): Promise<TestDatabase> {
  const database = await empty()
  const loader = connect(database.connection, { max: 1 })
  await loader.unsafe(readFileSync(new URL(name, DUMPS), 'utf8'))
  await loader.end()
  return database
}

/** What later releases gave to every row of a table, and its value in rows from before. Nobody had given an account its plan. */
const ADDED: Readonly<Record<string, Row>> = {
  accounts: { plan: null },
  apps: { account: 'default' },
  keys: { addresses: [] },
}

type Row = Readonly<Record<string, unknown>>

/** Every row of every table as this release has it, in a fixed order; positions apart, which a migration may change. */
async function contents({ sql }: TestDatabase) {
  const rows: string[] = []
  const positions: Record<string, string> = {}
  for (const table of TABLES) {
    // A column that a step adds is null in every row.
    const found = await sql<{ row: Row }[]>`select jsonb_strip_nulls(to_jsonb(t)) as row from ${sql(table)} t`
    for (const { row } of found) {
      const { position, ...rest } = row
      const whole = Object.entries({ ...rest, ...ADDED[table] }).toSorted(([a], [b]) => (a < b ? -1 : 1))
      // A column that an upgrade adds is empty, or ADDED says what it holds.
      const filled = whole.filter(([, value]) => value !== null)
      rows.push(`${table} ${JSON.stringify(filled)}`)
      if (table === 'runs') positions[`${String(row['session_id'])} ${String(row['id'])}`] = String(position)
    }
  }
  return { rows: rows.sort(), positions }
}

describe.each(readdirSync(DUMPS))('a recorded database of an older release: %s', (name) => {
  it('is upgraded in place: the same rows, the schema of this release', async () => {
    const [database, fresh] = [await load(name), await empty()]
    const before = await contents(database)
    expect(before.rows.length).toBeGreaterThan(30)
    expect(await migrate(database.connection)).toEqual({ from: Number.parseInt(name, 10), to: latest })
    const after = await contents(database)
    expect(after.rows).toEqual(before.rows)
    await fresh.sql.unsafe(readFileSync(new URL('../../schema.sql', import.meta.url), 'utf8'))
    expect(await readCatalog(database.sql)).toEqual(await readCatalog(fresh.sql))
    const moved = Object.entries(after.positions).filter(([id, place]) => before.positions[id] !== place)
    expect(moved).toEqual([
      [`${TWICE} p`, '3'],
      [`${TWICE} y`, '4'],
    ])
  })

  it('is upgraded once by five processes that start at once', async () => {
    const database = await load(name)
    const done = await Promise.all(Array.from({ length: 5 }, () => migrate(database.connection)))
    const from = Number.parseInt(name, 10)
    expect(done.map((one) => one.from).sort((a, b) => a - b)).toEqual([from, latest, latest, latest, latest])
  })

  it('stays whole and of its version when a step fails half-way', async () => {
    const database = await load(name)
    const [before, catalog] = [await contents(database), await readCatalog(database.sql)]
    const from = Number.parseInt(name, 10)
    const bad = `update runs set position = position + 10; delete from messages; drop table keys cascade; select 1 / 0`
    const steps = [...readSteps().filter(({ version }) => version <= from), { version: from + 1, text: bad }]
    await expect(migrate(database.connection, steps)).rejects.toMatchObject({ code: '22012' })
    expect(await contents(database)).toEqual(before)
    expect(await readCatalog(database.sql)).toEqual(catalog)
    expect(await migrate(database.connection)).toEqual({ from, to: latest })
  })

  it('is read by the store of this release as it was written', async () => {
    const database = await load(name)
    await migrate(database.connection)
    const store = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
    const id = (last: number) => `00000000-0000-4000-8000-${String(last).padStart(12, '0')}`
    const told = async (last: number) => (await store.history(id(last), ALL)).messages.map((row) => row.id)
    expect(await told(1)).toEqual(['c1', 'r1-1', 'r1-2', 'r1-3', 'r1-4', 'r1-5'])
    expect(await told(2)).toEqual(['c-0', 'c-1'])
    expect(await told(4)).toEqual(['x-0', 'x-1', 'z-0', 'z-1', 'p-0', 'p-1', 'y-0', 'y-1'])
    expect(await store.load(id(1))).toMatchObject({
      session: { title: 'My „numbers“ 🦜', titleBy: 'person', wallet: { address: '0xabc', chain: '1' } },
      lastPosition: 1,
    })
    const queued = (await store.load(id(3)))?.openRuns.map(({ run, nodeAlive }) => [run.id, run.status, nodeAlive])
    expect(queued).toEqual([
      ['b', 'running', false],
      ['c', 'queued', true],
    ])
    expect((await store.listKeys()).map((row) => [row.id, row.apps])).toEqual([
      ['k1', ['shop', 'support']],
      ['k2', ['shop']],
      ['k3', ['shop']],
    ])
    expect((await store.getApp('support'))?.definition).toMatchObject({ preamble: 'Be kind. „Grüße“' })
    await store.close()
  })
})
