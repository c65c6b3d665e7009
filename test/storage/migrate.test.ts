import { readFileSync } from 'node:fs'
import { afterEach, expect, it, vi } from 'vitest'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { connect } from '../../src/storage/connection.ts'
import { migrate, readSteps } from '../../src/storage/migrate.ts'
import { createTestDatabase, type TestDatabase, withDatabase } from '../support/postgres.ts'
import { readCatalog } from './catalog.ts'

const databases: TestDatabase[] = []
const empty = async () => {
  const database = await createTestDatabase({ migrated: false })
  databases.push(database)
  return database
}
afterEach(() => Promise.all(databases.splice(0).map((database) => database.drop())))

const latest = readSteps().at(-1)?.version ?? 0
const versions = async ({ sql }: TestDatabase) =>
  (await sql`select version from schema_version`).map((row) => row['version'])

it('the migrations and schema.sql make the same catalog and version', async () => {
  const [stepwise, whole] = [await empty(), await empty()]
  expect(await migrate(stepwise.connection)).toEqual({ from: 0, to: latest })
  await whole.sql.unsafe(readFileSync(new URL('../../schema.sql', import.meta.url), 'utf8'))
  const catalog = await readCatalog(stepwise.sql)
  expect(catalog.length).toBeGreaterThan(50)
  expect(await readCatalog(whole.sql)).toEqual(catalog)
  expect(await versions(whole)).toEqual([latest])
})

it('migrating a current database changes nothing', async () => {
  const database = await empty()
  await migrate(database.connection)
  expect(await migrate(database.connection)).toEqual({ from: latest, to: latest })
  expect(await versions(database)).toEqual([latest])
})

it.each([2, 5])('of %i processes that start at the same time on an empty database, one migrates', async (count) => {
  const database = await empty()
  const done = await Promise.all(Array.from({ length: count }, () => migrate(database.connection)))
  const others = Array<number>(count - 1).fill(latest)
  expect(done.map(({ from }) => from).sort((a, b) => a - b)).toEqual([0, ...others])
  expect(await versions(database)).toEqual([latest])
})

it('steps are taken from where the database is, in order', async () => {
  const database = await empty()
  const step = (version: number, text: string) => ({ version, text })
  const first = step(1, 'create table schema_version (version integer not null); create table a (x integer)')
  await migrate(database.connection, [first])
  const steps = [first, step(2, 'alter table a add column y integer'), step(3, 'alter table a rename column y to z')]
  expect(await migrate(database.connection, steps)).toEqual({ from: 1, to: 3 })
  expect((await readCatalog(database.sql)).filter((line) => line.startsWith('column a'))).toHaveLength(2)
  expect(await versions(database)).toEqual([3])
})

it('the steps of a database in use are told of before they are taken, those of a new one are not', async () => {
  const database = await empty()
  const told: unknown[] = []
  const tell: Telemetry['log'] = (level, event, fields) => void told.push([level, event, fields])
  const steps = readSteps()
  await migrate(database.connection, steps, tell)
  expect(told).toEqual([])
  const next = { version: latest + 1, text: 'create table a (x integer); select 1 / 0' }
  await expect(migrate(database.connection, [...steps, next], tell)).rejects.toMatchObject({ code: '22012' })
  expect(told).toEqual([['info', 'schema step', { version: latest + 1, latest: latest + 1 }]])
})

it('who waits for another process says so, and waits longer than the database lets others', async () => {
  const database = await empty()
  const [{ name } = { name: '' }] = await database.sql<{ name: string }[]>`select current_database() as name`
  await database.sql.unsafe(`alter database ${name} set lock_timeout = '100ms'`)
  const told = vi.fn<Telemetry['log']>()
  const slow = { version: 1, text: 'create table schema_version (version integer not null); select pg_sleep(1)' }
  const first = migrate(database.connection, [slow])
  const held = () =>
    database.sql`select 1 from pg_locks l join pg_database d on d.oid = l.database
      where l.locktype = 'advisory' and d.datname = current_database()`
  await expect.poll(held).not.toEqual([])
  expect(await migrate(database.connection, [slow], told)).toEqual({ from: 1, to: 1 })
  expect(told.mock.calls).toEqual([['info', 'schema waits']])
  await first
})

it.each(['LATIN1', 'SQL_ASCII'])('a database in %s is refused with what to do, and left alone', async (encoding) => {
  const database = await empty()
  const name = `parley_test_${encoding.toLowerCase()}_${process.pid}`
  await database.sql.unsafe(`create database ${name} template template0 encoding '${encoding}' locale 'C'`)
  const connection = withDatabase(database.connection, name)
  const sql = connect(connection, { max: 1 })
  try {
    await expect(migrate(connection)).rejects.toThrow(`encoding ${encoding}, in which not every character`)
    expect(await readCatalog(sql)).toEqual([])
  } finally {
    await sql.end()
    await database.sql.unsafe(`drop database ${name} with (force)`)
  }
})

it('a newer database is refused with what to do, and left alone', async () => {
  const database = await empty()
  await migrate(database.connection)
  await database.sql`update schema_version set version = ${latest + 1}`
  await expect(migrate(database.connection)).rejects.toThrow(`schema version ${latest + 1}`)
  await expect(migrate(database.connection)).rejects.toThrow('run a newer Parley')
  expect(await versions(database)).toEqual([latest + 1])
})

it('a step that fails leaves the database at the step before', async () => {
  const database = await empty()
  const steps = [...readSteps(), { version: latest + 1, text: 'create table half (x integer); select 1 / 0' }]
  await expect(migrate(database.connection, steps)).rejects.toMatchObject({ code: '22012' })
  expect(await versions(database)).toEqual([latest])
  expect((await readCatalog(database.sql)).some((line) => line.includes('half'))).toBe(false)
})
