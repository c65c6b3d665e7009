import type { Fragment, ISql, PendingQuery, Row, Sql } from 'postgres'

/** How `ts_rank_cd` weighs words by where they stand: D (text), C, B, A (name and headings). */
const WEIGHTS = '{0.2, 0.4, 0.6, 1.0}'
/** `ts_rank_cd`: divides by 1 + the logarithm of the part's length. */
const BY_LENGTH = 1
/** Parts that are ranked, which costs up to 0.1 ms each; and how far a word's parts are counted: beyond, it says little. */
const CANDIDATES = 2000
/** Quoted words, or a word to leave out: who writes so means it. */
const EXACT = '"|(^|\\s)-\\S'

/**
 * The best parts of one App's documents. Words are read as a web search reads them, by the language of each document. Parts with
 * all of them come first. Models ask in whole sentences, so that parts with some of them come after: each word counts for more
 * the fewer of the App's parts have it, and those that many have bring none up by themselves.
 *
 * Every part has its App's mark among its words, so that the index finds this App's only; `app_id` is the wall (I10).
 */
export function searchStatement<T extends Row>(sql: Sql, app: string, words: string, limit: number): PendingQuery<T[]> {
  return sql<T[]>`
    with spoken as materialized (
      select language, ${appMark(sql, app)}::tsquery as mark,
        websearch_to_tsquery(language::regconfig, ${words}) as every
      from (select distinct language from documents where app_id = ${app}) languages
    ), words as materialized (
      select language, word, count, sum(count) over (partition by language order by count, word::text) as sum,
        row_number() over (partition by language order by count, word::text) as place
      from (
        select s.language, w.word, (
          select count(*) from (
            select from document_parts p
            where p.search @@ (w.word && s.mark) and p.app_id = ${app} and p.language = s.language limit ${CANDIDATES}
          ) having_it
        ) as count
        from spoken s, lateral (
          select quote_literal(lexeme)::tsquery as word from unnest(to_tsvector(s.language::regconfig, ${words}))
        ) w
      ) counted
      where count > 0
    ), relaxed as (
      select language, string_agg(word::text, ' | ')::tsquery as query from words
      where (place = 1 or sum <= ${CANDIDATES}) and ${words}::text !~ ${EXACT} group by language
    ), candidates as (
      select c.document_id, c.part from spoken s, lateral (
        select document_id, part from document_parts p
        where p.search @@ (s.every && s.mark) and p.app_id = ${app} and p.language = s.language limit ${CANDIDATES}
      ) c
      where numnode(s.every) > 0
      union
      select c.document_id, c.part from relaxed join spoken s using (language), lateral (
        select document_id, part from document_parts p
        where p.search @@ (relaxed.query && s.mark) and p.app_id = ${app} and p.language = s.language limit ${CANDIDATES}
      ) c
    )
    select d.name as document, p.heading, p.part, d.parts, p.text
    from candidates c
    join document_parts p using (document_id, part)
    join documents d on d.id = p.document_id and d.app_id = ${app}
    join spoken s on s.language = p.language
    order by p.search @@ s.every desc,
      (select sum(ln(1 + ${CANDIDATES}::float8 / w.count)) from words w where w.language = p.language and p.search @@ w.word)
        desc nulls last,
      ts_rank_cd(${WEIGHTS}::text::real[], p.search, coalesce((select query from relaxed where relaxed.language = p.language), s.every),
        ${BY_LENGTH}) desc,
      d.name, p.part
    limit ${limit}`
}

/** A word that no text has, as text: the parser takes no word that begins like this. */
export function appMark(sql: ISql, app: string): Fragment {
  return sql`quote_literal('@' || ${app}::text)`
}
