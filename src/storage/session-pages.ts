import type { ISql } from 'postgres'
import type { MessagePlace, PlacedMessage, SessionQuery } from '../ports/admin-store.ts'
import type { SessionRow } from '../ports/store.ts'
import type { Pool } from './connection.ts'
import { type MessageRecord, type SessionRecord, toMessage, toSession } from './rows.ts'

export async function pageSessions(pool: Pool, query: SessionQuery): Promise<readonly SessionRow[]> {
  const { account, apps, user, before, limit } = query
  const records = await pool.query((sql) => {
    const own = account === undefined ? sql`` : sql`and account = ${account}`
    const named = apps === undefined ? sql`` : sql`and app in (${names(sql, apps)})`
    const theirs = user === undefined ? sql`` : sql`and user_id = ${user}`
    const older =
      before === undefined
        ? sql``
        : sql`and (updated_at, id) < (${new Date(before.updatedAt)}::timestamptz, ${before.id}::uuid)`
    return sql<SessionRecord[]>`
      select * from sessions where true ${own} ${named} ${theirs} ${older} order by updated_at desc, id desc limit ${limit}`
  })
  return records.map(toSession)
}

type PlacedRecord = MessageRecord & { readonly position: number; readonly tail: string | null }

export async function pageMessages(
  pool: Pool,
  sessionId: string,
  after: MessagePlace | undefined,
  limit: number,
  maxBytes: number,
): Promise<readonly PlacedMessage[]> {
  const records = await pool.query((sql) => {
    const later =
      after === undefined
        ? sql``
        : sql`and run.position >= ${after.position}
            and (run.position, m.index, m.id) > (${after.position}, ${after.index}, ${after.id})`
    return sql<PlacedRecord[]>`
      select * from (
        select page.*, row_number() over oldest_first as number, sum(octet_length(content)) over oldest_first as bytes
        from (
          select m.*, run.position, case when run.status = 'running' then (
            select string_agg(t.text, '' order by t.start) from message_tails t
            where t.session_id = m.session_id and t.run_id = m.run_id and t.message_id = m.id and t.start >= length(m.content)
          ) end as tail
          from runs run join messages m on m.session_id = run.session_id and m.run_id = run.id
          where run.session_id = ${sessionId} and run.position is not null ${later}
          order by run.position, m.index, m.id limit ${limit}
        ) page
        window oldest_first as (order by position, index, id rows unbounded preceding)
      ) cut
      where number = 1 or bytes <= ${maxBytes}
      order by number`
  })
  return records.map(toPlaced)
}

function toPlaced(record: PlacedRecord): PlacedMessage {
  const message = toMessage(record)
  const { position, index, id, tail } = record
  return {
    message: tail === null ? message : { ...message, content: message.content + tail },
    place: { position, index, id },
  }
}

function names(sql: ISql, apps: readonly string[]) {
  return sql`select value from json_array_elements_text(${JSON.stringify(apps)}::text::json)`
}
