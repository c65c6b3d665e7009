import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MessageRow } from '../../src/ports/store.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { answered, message } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

/** Characters of an id that fills more than an index entry may have (a third of a page), even compressed. */
const LONG_ID = 40_000
/** Levels that overflow the stack of our own encoder: Postgres, which takes more of them than the encoder, never sees such a row. */
const DEEP = 30_000
const NUL = String.fromCharCode(0)

function deep(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}

function noise(length: number): string {
  let [text, state] = ['', 7]
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    text += state.toString(36)
  }
  return text
}

/** What only Postgres itself refuses; more of it, with the memory store, in test/contracts/store-commits.ts. */
describe('a row that Postgres refuses fails alone', () => {
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

  it.each<[string, Partial<MessageRow>]>([
    ['NUL in a text', { content: `a${NUL}` }],
    ['a lone surrogate in JSON', { blocks: { provider: 'p', content: ['\uD83E'] } }],
    ['an id too long for an index', { id: noise(LONG_ID) }],
    ['JSON that is too deep', { blocks: { provider: 'p', content: [deep(DEEP)] } }],
    ['an index that is no integer of its size', { index: 2 ** 40 }],
    ['a time that is none', { createdAt: Number.NaN }],
  ])('%s', async (_, fields) => {
    const neighbours = Array.from({ length: 16 }, () => answered())
    const guilty = answered()
    const bad = { ...guilty, messages: guilty.runs.map((one) => message(one, 0, fields)) }
    const writes = [...neighbours.slice(0, 9), bad, ...neighbours.slice(9)]
    const settled = await Promise.allSettled(writes.map((write) => store.commit(write, SOON)))
    const refused = settled.flatMap((one, at) => (one.status === 'rejected' ? [[at, one.reason.code]] : []))
    expect(refused).toEqual([[9, 'invalid_value']])
    const loaded = await Promise.all(neighbours.map(({ sessionId }) => store.load(sessionId)))
    expect(loaded.map((one) => one?.session)).toEqual(neighbours.map((write) => write.session))
    expect(await store.load(guilty.sessionId)).toBeUndefined()
  })

  it('and the same session can be written again at once', async () => {
    const write = answered()
    const bad = { ...write, messages: write.messages.map((row) => ({ ...row, content: NUL })) }
    await expect(store.commit(bad, SOON)).rejects.toMatchObject({ code: 'invalid_value' })
    await store.commit(write, SOON)
    expect((await store.history(write.sessionId, { maxMessages: 9, maxBytes: 9999 })).messages).toEqual(write.messages)
  })
})
