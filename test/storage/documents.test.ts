import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DOCUMENT_LANGUAGES, type DocumentPart, type DocumentRow } from '../../src/ports/documents.ts'
import type { Change } from '../../src/ports/store.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { Recorder } from './recorder.ts'

// On the run's server: the embedded one, or that of PARLEY_TEST_DATABASE_URL.
let database: TestDatabase
let store: PostgresStorage
let other: PostgresStorage

const NOW = 1_800_000_000_000

beforeAll(async () => {
  database = await createTestDatabase()
  const open = () => openPostgres({ connection: database.connection, telemetry: new Recorder(), poolSize: 2 })
  ;[store, other] = [await open(), await open()]
})
afterAll(async () => {
  await Promise.all([store.close(), other.close()])
  await database.drop()
})

async function putApp(): Promise<string> {
  const id = `app-${randomUUID()}`
  await store.putApp({ id, definition: {}, updatedAt: NOW })
  return id
}

function row(app: string, over: Partial<DocumentRow> = {}): DocumentRow {
  return { id: `d_${randomUUID()}`, app, name: 'guide.md', language: 'english', addedAt: NOW, ...over }
}

function texts(...all: string[]): DocumentPart[] {
  return all.map((text) => ({ heading: '', text }))
}

const partsStored = async (app: string) => {
  const [counted] = await database.sql<{ count: number }[]>`
    select count(*)::integer as count from document_parts p join documents d on d.id = p.document_id where d.app_id = ${app}`
  return counted?.count
}

describe('documents', () => {
  it('are listed by name with their size, and found with their source', async () => {
    const app = await putApp()
    const guide = row(app)
    const parts = [
      { heading: 'Returns', text: 'Shoes come back within 30 days.' },
      { heading: 'Returns > Costs', text: 'We pay the postage.' },
    ]
    expect(await store.putDocument(guide, parts)).toBe(false)
    await store.putDocument(row(app, { name: 'about.txt', language: 'simple' }), texts('Founded in 1987 🎉.'))
    expect(await store.listDocuments(app)).toMatchObject([
      { name: 'about.txt', language: 'simple', parts: 1 },
      { ...guide, parts: 2, characters: 50 },
    ])
    expect(await store.searchDocuments(app, 'postage', 5)).toEqual([
      { document: 'guide.md', heading: 'Returns > Costs', part: 2, parts: 2, text: 'We pay the postage.' },
    ])
    expect(await store.searchDocuments(app, 'founded', 5)).toMatchObject([{ document: 'about.txt', heading: '' }])
  })

  it('of a name that is there take its place, all at once', async () => {
    const app = await putApp()
    await store.putDocument(row(app), texts('old apples', 'old pears', 'old plums'))
    const newer = row(app, { addedAt: NOW + 1, language: 'german' })
    expect(await store.putDocument(newer, texts('new cherries'))).toBe(true)
    expect(await store.listDocuments(app)).toMatchObject([{ id: newer.id, parts: 1, addedAt: NOW + 1 }])
    expect(await store.searchDocuments(app, 'old', 5)).toEqual([])
    expect(await partsStored(app)).toBe(1)
  })

  it('that cannot be stored leave the old one as it was', async () => {
    const app = await putApp()
    const old = row(app)
    await store.putDocument(old, texts('old apples'))
    const many = Array.from({ length: 150 }, (_, index) => (index === 140 ? 'bad \0 text' : `new part ${index}`))
    await expect(store.putDocument(row(app), texts(...many))).rejects.toMatchObject({ code: 'invalid_value' })
    expect(await store.listDocuments(app)).toMatchObject([{ id: old.id, parts: 1 }])
    expect(await store.searchDocuments(app, 'new', 5)).toEqual([])
    expect(await store.searchDocuments(app, 'apples', 5)).toHaveLength(1)
  })

  it('put by two processes at once under one name end as one of the two', async () => {
    const app = await putApp()
    const both = [row(app), row(app)] as const
    await Promise.all([store.putDocument(both[0], texts('one', 'x')), other.putDocument(both[1], texts('two', 'x'))])
    const stored = await store.listDocuments(app)
    expect(stored).toHaveLength(1)
    expect(both.map(({ id }) => id)).toContain(stored[0]?.id)
    expect(await partsStored(app)).toBe(2)
  })

  it('are deleted by id before name, and with their App', async () => {
    const app = await putApp()
    const [first, second] = [row(app, { name: 'a.md' }), row(app, { name: 'b.md' })]
    const decoy = row(app, { name: first.id })
    for (const one of [first, second, decoy]) await store.putDocument(one, texts('words'))
    expect(await store.deleteDocument(app, first.id)).toBe(true)
    expect((await store.listDocuments(app)).map(({ id }) => id).sort()).toEqual([second.id, decoy.id].sort())
    expect(await store.deleteDocument(app, 'b.md')).toBe(true)
    expect(await store.deleteDocument(app, 'b.md')).toBe(false)
    await store.deleteApp(app)
    await store.putApp({ id: app, definition: {}, updatedAt: NOW })
    expect(await store.listDocuments(app)).toEqual([])
    expect(await store.searchDocuments(app, 'words', 5)).toEqual([])
  })

  it('change their App: other processes hear of it, and whether it has any', async () => {
    const changes: Change[] = []
    const stop = other.subscribe((change) => changes.push(change))
    const app = await putApp()
    await expect.poll(() => changes).toContainEqual({ kind: 'app', id: app })
    expect(await other.getApp(app)).not.toHaveProperty('hasDocuments')
    changes.length = 0
    await store.putDocument(row(app), texts('words'))
    await expect.poll(() => changes).toContainEqual({ kind: 'app', id: app })
    expect(await other.getApp(app)).toMatchObject({ hasDocuments: true })
    changes.length = 0
    await store.deleteDocument(app, 'guide.md')
    await expect.poll(() => changes).toContainEqual({ kind: 'app', id: app })
    expect(await other.getApp(app)).not.toHaveProperty('hasDocuments')
    stop()
  })

  it('of an App that is not stored are refused', async () => {
    await expect(store.putDocument(row('nobody'), texts('x'))).rejects.toMatchObject({ code: 'app_not_found' })
    expect(await store.listDocuments('nobody')).toEqual([])
    expect(await store.searchDocuments('nobody', 'x', 5)).toEqual([])
  })

  it('of one App are bounded in number and in parts', async () => {
    const app = await putApp()
    await store.putDocument(row(app), texts('x'))
    await database.sql`update documents set parts = 49999 where app_id = ${app}`
    await store.putDocument(row(app, { name: 'last.md' }), texts('one more'))
    const over = store.putDocument(row(app, { name: 'over.md' }), texts('one too many'))
    await expect(over).rejects.toMatchObject({ code: 'invalid_value', message: expect.stringContaining('50000') })
    await database.sql`
      insert into documents select 'd_' || n || ${app}, ${app}, 'n' || n, 'simple', 0, 0, now() from generate_series(1, 998) n`
    await expect(store.putDocument(row(app, { name: 'many.md' }), [])).rejects.toMatchObject({ code: 'invalid_value' })
    // What takes another's place needs no room.
    expect(await store.putDocument(row(app, { name: 'last.md' }), texts('other'))).toBe(true)
  })
})

describe('I10: the documents of one App', () => {
  it('are found, listed and deleted by no other', async () => {
    const [mine, theirs] = [await putApp(), await putApp()]
    const secret = row(theirs)
    await store.putDocument(row(mine), texts('our prices are public'))
    await store.putDocument(secret, texts('the secret price list'))
    expect(await store.searchDocuments(mine, 'price', 10)).toMatchObject([{ text: 'our prices are public' }])
    for (const words of ['secret', '-public', `price or secret`, `app_id ${theirs}`, "'; drop table documents --"])
      expect(JSON.stringify(await store.searchDocuments(mine, words, 10))).not.toContain('secret')
    expect((await store.listDocuments(mine)).map(({ id }) => id)).not.toContain(secret.id)
    expect(await store.deleteDocument(mine, secret.id)).toBe(false)
    await store.deleteDocument(mine, 'guide.md')
    expect(await store.listDocuments(theirs)).toHaveLength(1)
  })

  it('are not touched by a document of the same name elsewhere, nor by a taken id', async () => {
    const [mine, theirs] = [await putApp(), await putApp()]
    const there = row(theirs)
    await store.putDocument(there, texts('their property'))
    expect(await store.putDocument(row(mine), texts('mine'))).toBe(false)
    const stolen = store.putDocument(row(mine, { id: there.id, name: 'x.md' }), texts('thief'))
    await expect(stolen).rejects.toMatchObject({ code: 'conflict' })
    expect(await store.searchDocuments(theirs, 'property', 5)).toHaveLength(1)
    expect(await store.searchDocuments(theirs, 'thief', 5)).toEqual([])
  })

  it('change neither the order nor the number of what another finds', async () => {
    const [mine, theirs] = [await putApp(), await putApp()]
    await store.putDocument(row(mine), texts('apple apple', 'apple pie and a long crust of butter', 'pear'))
    const before = await store.searchDocuments(mine, 'apple butter', 5)
    await store.putDocument(row(theirs), texts(...Array.from({ length: 300 }, () => 'apple butter')))
    expect(await store.searchDocuments(mine, 'apple butter', 5)).toEqual(before)
    expect(before).toHaveLength(2)
  })
})

describe('a search', () => {
  const found = async (app: string, words: string, limit = 10) =>
    (await store.searchDocuments(app, words, limit)).map(({ text }) => text)

  it('finds parts with all words first, then those with more of them, and at most so many', async () => {
    const app = await putApp()
    const [all, two, one] = ['returning shoes within a period', 'a period for shoes', 'shoes shoes shoes shoes']
    await store.putDocument(row(app), texts(one, 'nothing of it', two, all))
    expect(await found(app, 'How long is the return period for shoes?')).toEqual([all, two, one])
    expect(await found(app, 'return period shoes', 2)).toEqual([all, two])
  })

  it('weighs a heading and a name above the text', async () => {
    const app = await putApp()
    const filler = 'Many words stand here about all that a shop may sell.'
    await store.putDocument(row(app), [
      { heading: '', text: `Warranty. ${filler}` },
      { heading: 'Warranty', text: filler },
    ])
    await store.putDocument(row(app, { name: 'postage.txt' }), texts(filler))
    expect(await store.searchDocuments(app, 'warranty', 5)).toMatchObject([{ part: 2 }, { part: 1 }])
    expect(await store.searchDocuments(app, 'postage', 5)).toMatchObject([{ document: 'postage.txt' }])
  })

  it('takes words by the language of each document', async () => {
    const app = await putApp()
    await store.putDocument(row(app), texts('We were running a shop'))
    await store.putDocument(row(app, { name: 'b', language: 'german' }), texts('Die Häuser sind schön'))
    await store.putDocument(row(app, { name: 'c', language: 'simple' }), texts('only runs'))
    expect(await found(app, 'runs')).toEqual(expect.arrayContaining(['We were running a shop', 'only runs']))
    expect(await found(app, 'Haus')).toEqual(['Die Häuser sind schön'])
    expect(await found(app, 'run')).toEqual(['We were running a shop'])
  })

  it('knows the languages that a document may name', async () => {
    const known = await database.sql<{ name: string }[]>`select cfgname as name from pg_ts_config`
    expect(known.map(({ name }) => name)).toEqual(expect.arrayContaining([...DOCUMENT_LANGUAGES]))
  })

  it('understands quotes, or, and what is left out', async () => {
    const app = await putApp()
    await store.putDocument(row(app), texts('black tea', 'tea that is black', 'green tea', 'coffee'))
    expect(await found(app, '"black tea"')).toEqual(['black tea'])
    expect((await found(app, 'coffee or green')).sort()).toEqual(['coffee', 'green tea'])
    expect((await found(app, 'tea -green')).sort()).toEqual(['black tea', 'tea that is black'])
  })

  it.each([
    ['nothing', ''],
    ['only words that every text has', 'the of and'],
    ['operators', "& | ! ( ) <-> :* ' '' \\ \" -\" ''':*'"],
    ['a word without end', 'x'.repeat(5000)],
    ['many words', Array.from({ length: 400 }, (_, index) => `word${index}`).join(' ')],
    ['strange characters', '\u{1F600} \uFFFD \u202E ﷽'],
  ])('for %s finds nothing and fails in nothing', async (_what, words) => {
    const app = await putApp()
    await store.putDocument(row(app), texts('ordinary text of the shop'))
    expect(await found(app, words)).toEqual([])
  })

  it('of a full shelf walks the index, and ends in time for its most common word', async () => {
    const app = await putApp()
    const part = 'The common word stands here with others, and some numbers. '.repeat(20)
    for (const name of ['a', 'b', 'c'])
      await store.putDocument(row(app, { name }), texts(...Array.from({ length: 2000 }, (_, n) => `${part} n${n}`)))
    const began = performance.now()
    expect(await found(app, 'common numbers')).toHaveLength(10)
    // What only the words have that everything has is not brought up by them.
    expect(await found(app, 'the common word n77 with nowhere')).toEqual(Array(3).fill(`${part} n77`))
    expect(performance.now() - began).toBeLessThan(4000)
  }, 60_000)
})
