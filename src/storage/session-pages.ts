import type { ISql, PendingQuery, Sql } from 'postgres'
import type { SessionQuery } from '../ports/admin-store.ts'
import type { SessionRow } from '../ports/store.ts'
import type { Pool } from './connection.ts'
import { type SessionRecord, toSession } from './rows.ts'

export async function pageSessions(pool: Pool, query: SessionQuery): Promise<readonly SessionRow[]> {
  return (await pool.query((sql) => selectPage(sql, query))).map(toSession)
}

/** An account's are read from `sessions_by_account`, newest first; those of all are sorted. */
export function selectPage(sql: Sql, query: SessionQuery): PendingQuery<SessionRecord[]> {
  const { account, apps, user, before, limit } = query
  const own = account === undefined ? sql`` : sql`and account = ${account}`
  const named = apps === undefined ? sql`` : sql`and app in (${names(sql, apps)})`
  const theirs = user === undefined ? sql`` : sql`and user_id = ${user}`
  const older =
    before === undefined
      ? sql``
      : sql`and (updated_at, id) < (${new Date(before.updatedAt)}::timestamptz, ${before.id}::uuid)`
  return sql<SessionRecord[]>`
    select * from sessions where true ${own} ${named} ${theirs} ${older} order by updated_at desc, id desc limit ${limit}`
}

function names(sql: ISql, apps: readonly string[]) {
  return sql`select value from json_array_elements_text(${JSON.stringify(apps)}::text::json)`
}
