import type { Sql } from 'postgres'
import type { DocumentPart, DocumentRow, DocumentStore, FoundPart, StoredDocument } from '../ports/documents.ts'
import { ParleyError } from '../protocol/errors.ts'
import { notify, recordChange } from './changes.ts'
import type { Pool } from './connection.ts'
import { appMark, searchStatement } from './document-search.ts'
import { type Time, toMillis } from './rows.ts'

/** Of one App: a shelf, not an archive. Listed whole. */
const MAX_DOCUMENTS = 1000
/** Of one App: about 70 MB of text. To find those with a word among them takes tens of milliseconds. */
const MAX_APP_PARTS = 50_000
/** Parts in one statement: some 150 KB, indexed in about 0.1 s. */
const PARTS_AT_ONCE = 100
/** Milliseconds for the largest document: 10 to 20 s here, and a slow disk takes its time. */
const PUT_MS = 120_000

type DocumentRecord = {
  readonly id: string
  readonly app_id: string
  readonly name: string
  readonly language: DocumentRow['language']
  readonly parts: number
  readonly characters: number
  readonly added_at: Time
}

export function createDocumentStore(pool: Pool): DocumentStore {
  return {
    putDocument: (row, parts) => pool.transaction(PUT_MS, (sql) => put(sql, row, parts)),
    async listDocuments(app) {
      const records = await pool.query((sql) => {
        return sql<DocumentRecord[]>`select * from documents where app_id = ${app} order by name`
      })
      return records.map(toDocument)
    },
    async deleteDocument(app, idOrName) {
      const deleted = await pool.query((sql) => {
        return sql`
          with meant as (
            select id from documents where app_id = ${app} and (id = ${idOrName} or name = ${idOrName})
            order by id <> ${idOrName} limit 1
          ), gone as (
            delete from documents where id in (select id from meant) returning app_id
          ), ${recordChange(sql, 'app', sql`select app_id from gone`)}
          select app_id, ${notify(sql)} from gone`
      })
      return deleted.length > 0
    },
    searchDocuments: (app, words, limit) => pool.query((sql) => searchStatement<FoundPart>(sql, app, words, limit)),
  }
}

/** Whoever puts holds the App's row: two of one name come after one another, and the bounds hold for both together. */
async function put(sql: Sql, row: DocumentRow, parts: readonly DocumentPart[]): Promise<boolean> {
  const [app] = await sql`select from apps where id = ${row.app} for no key update`
  if (app === undefined) throw new ParleyError('app_not_found')
  const replaced = await sql`delete from documents where app_id = ${row.app} and name = ${row.name}`
  await assertRoom(sql, row.app, parts.length)
  const characters = parts.reduce((total, { text }) => total + text.length, 0)
  await sql`
    insert into documents (id, app_id, name, language, parts, characters, added_at)
    values (${row.id}, ${row.app}, ${row.name}, ${row.language}, ${parts.length}, ${characters},
      ${new Date(row.addedAt)}::timestamptz)`
  for (let from = 0; from < parts.length; from += PARTS_AT_ONCE)
    await insertParts(sql, row, from, parts.slice(from, from + PARTS_AT_ONCE))
  await sql`
    with ${recordChange(sql, 'app', sql`select ${row.app}::text`)}
    select ${notify(sql)}`
  return replaced.count > 0
}

async function assertRoom(sql: Sql, app: string, wanted: number): Promise<void> {
  const [there] = await sql<{ documents: number; parts: number }[]>`
    select count(*)::integer as documents, coalesce(sum(parts), 0)::integer as parts from documents where app_id = ${app}`
  const { documents, parts } = there ?? { documents: 0, parts: 0 }
  if (documents >= MAX_DOCUMENTS)
    throw new ParleyError('invalid_value', {
      message: `The App has ${MAX_DOCUMENTS} documents, which is all it may have`,
    })
  if (parts + wanted > MAX_APP_PARTS)
    throw new ParleyError('invalid_value', {
      message: `The App's documents have ${parts} parts; with this one they would have more than ${MAX_APP_PARTS}`,
    })
}

/** `from`: how many parts are before these. A name is taken apart: `price-list.md` would be one word, a host. The words of the name and the headings weigh more than those of the text. */
async function insertParts(
  sql: Sql,
  { id, app, name, language }: DocumentRow,
  from: number,
  parts: readonly DocumentPart[],
): Promise<void> {
  await sql`
    insert into document_parts (document_id, part, app_id, language, heading, text, search)
    select ${id}, ${from}::integer + at, ${app}, ${language}, part ->> 'heading', part ->> 'text',
      setweight(to_tsvector(${language}::text::regconfig, translate(${name}, '._-', '   ') || ' ' || (part ->> 'heading')), 'A')
      || to_tsvector(${language}::text::regconfig, part ->> 'text')
      || ${appMark(sql, app)}::tsvector
    from json_array_elements(${JSON.stringify(parts)}::text::json) with ordinality as given (part, at)`
}

function toDocument(record: DocumentRecord): StoredDocument {
  return {
    id: record.id,
    app: record.app_id,
    name: record.name,
    language: record.language,
    parts: record.parts,
    characters: record.characters,
    addedAt: toMillis(record.added_at),
  }
}
