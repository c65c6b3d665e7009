import { inspect } from 'node:util'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FaultKind, toFault, toStoreError } from '../../src/storage/faults.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { answered } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

describe('toFault', () => {
  it.each<[string, FaultKind, string]>([
    ['23505', 'conflict', 'conflict'],
    ['23503', 'conflict', 'conflict'],
    ['22021', 'data', 'invalid_value'],
    ['23502', 'data', 'invalid_value'],
    ['54000', 'data', 'invalid_value'],
    ['57P01', 'away', 'store_unavailable'],
    ['53100', 'away', 'store_unavailable'],
    ['40P01', 'away', 'store_unavailable'],
    ['28P01', 'away', 'store_unavailable'],
    ['57014', 'timeout', 'store_unavailable'],
    ['XX000', 'unknown', 'internal_error'],
  ])('sorts SQLSTATE %s as %s, told as %s', (code, kind, told) => {
    const fault = toFault(Object.assign(new postgres.PostgresError('a text'), { code }))
    expect([fault.kind, toStoreError(fault).code]).toEqual([kind, told])
  })

  it('takes a second running run for a session that another process runs: to be tried again soon', () => {
    const thrown = Object.assign(new postgres.PostgresError('a text'), {
      code: '23505',
      constraint_name: 'runs_one_running',
    })
    const fault = toFault(thrown)
    expect(fault).toMatchObject({ kind: 'busy', code: '23505' })
    expect(toStoreError(fault)).toMatchObject({ code: 'overloaded', retryable: true, retryAfterMs: 1000 })
  })

  it('takes a position that another run has for a conflict of this write', () => {
    const thrown = Object.assign(new postgres.PostgresError('a text'), {
      code: '23505',
      constraint_name: 'runs_by_position',
    })
    expect(toFault(thrown)).toMatchObject({ kind: 'conflict', message: 'postgres 23505 runs_by_position' })
  })

  it('says of a store that is away when to ask again', () => {
    for (const code of ['57P01', '57014', '53100']) {
      const fault = toFault(Object.assign(new postgres.PostgresError('a text'), { code }))
      expect(toStoreError(fault)).toMatchObject({ code: 'store_unavailable', retryable: true, retryAfterMs: 1000 })
    }
  })

  it.each(['ECONNREFUSED', 'ENOENT', 'CONNECTION_CLOSED', 'CONNECT_TIMEOUT'])(
    'takes %s of the driver for away',
    (code) => {
      expect(toFault(Object.assign(new Error('a text'), { code }))).toMatchObject({ kind: 'away', code })
    },
  )

  it('takes a throw of our own code for a bug, and keeps it', () => {
    const bug = new TypeError('x is not a function')
    expect(toFault(bug)).toMatchObject({ kind: 'unknown', cause: bug })
  })
})

describe('I11: what the store says of its failures', () => {
  let database: TestDatabase
  let store: PostgresStorage
  beforeAll(async () => {
    database = await createTestDatabase()
    store = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
  })
  afterAll(async () => {
    await store.close()
    await database.drop()
  })
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (thrown: unknown) => inspect(thrown, { depth: 9, showHidden: true }),
    )

  it('quotes no text, id or SQL of a write that was refused', async () => {
    const write = answered({ title: 'a secret title' })
    const nul = write.messages.map((row) => ({ ...row, content: `a secret text${String.fromCharCode(0)}` }))
    const refused = await failure(store.commit({ ...write, messages: nul }, SOON))
    await store.commit(write, SOON)
    const conflict = await failure(store.commit({ ...write, session: { ...write.session, app: 'a secret app' } }, SOON))
    expect(refused).toContain('invalid_value')
    expect(conflict).toContain('postgres 23502 app')
    for (const told of [refused, conflict]) {
      expect(told).not.toMatch(/secret|insert|json_to_recordset/)
      expect(told).not.toContain(write.sessionId)
    }
  })

  it('quotes no SQL of a read that failed', async () => {
    await database.sql`alter table keys rename to gone`
    const told = await failure(store.findKey('a-secret-id'))
    await database.sql`alter table gone rename to keys`
    expect(told).toContain('postgres 42P01')
    expect(told).not.toMatch(/secret|select/)
  })
})
