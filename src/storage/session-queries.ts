import type { PendingQuery, Sql } from 'postgres'
import type { SessionQuery } from '../ports/admin-store.ts'
import type { HistoryQuery, Owner, RunRef, SessionChoice, SessionPlace } from '../ports/store.ts'
import { lockName } from './node-lock.ts'
import {
  listed,
  type MessageRecord,
  type OpenRunRecord,
  type RunRecord,
  type SessionRecord,
  type Time,
} from './rows.ts'

/** Nodes whose process holds its lock. Read only when a running run is among the rows. */
export const alive = (sql: Sql) => sql`alive as materialized (
  select ${lockName(sql)} as node
  from pg_locks l
  where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
    and l.database = (select oid from pg_database where datname = current_database())
)`

/** A run with its user message and whether its process holds its lock; `run` names a row of runs in the query around. */
const openRun = (sql: Sql, node: string) => sql`jsonb_build_object(
  'run', to_jsonb(run),
  'message', (
    select to_jsonb(m) from messages m
    where m.session_id = run.session_id and m.run_id = run.id and m.role = 'user' order by m.index limit 1
  ),
  'alive', run.status <> 'running' or run.node = ${node} or exists (select from alive where alive.node = run.node)
)`

export type LoadedRecord = SessionRecord & {
  readonly open_runs: readonly OpenRunRecord[] | null
  readonly last_run: RunRecord | null
  readonly last_position: number
}

/** Each part is a probe of an index that ends with its first rows, whatever the length of the history. */
export function selectSessions(sql: Sql, ids: readonly string[], node: string): PendingQuery<LoadedRecord[]> {
  return sql<LoadedRecord[]>`
    with ${alive(sql)}
    select s.*, open.runs as open_runs, last.run as last_run, coalesce(top.position, 0) as last_position
    from sessions s
    left join lateral (
      select jsonb_agg(${openRun(sql, node)} order by run.status = 'queued', run.queued_at, run.id) as runs
      from (
        select * from runs where session_id = s.id and status = 'running'
        union all
        select * from runs where session_id = s.id and status = 'queued'
      ) run
    ) open on true
    left join lateral (
      select to_jsonb(r) as run from runs r
      where r.session_id = s.id and r.position is not null and not r.superseded and r.status not in ('queued', 'running')
      order by r.position desc limit 1
    ) last on true
    left join lateral (
      select r.position from runs r where r.session_id = s.id and r.position is not null order by r.position desc limit 1
    ) top on true
    where s.id = any (${`{${ids.join(',')}}`}::uuid[])`
}

export function selectSend(
  sql: Sql,
  sessionId: string,
  messageId: string,
  node: string,
): PendingQuery<{ found: OpenRunRecord }[]> {
  return sql<{ found: OpenRunRecord }[]>`
    with ${alive(sql)}
    select jsonb_set(${openRun(sql, node)}, '{message}', to_jsonb(sent)) as found
    from messages sent join runs run on run.session_id = sent.session_id and run.id = sent.run_id
    where sent.session_id = ${sessionId} and sent.id = ${messageId} and sent.role = 'user'`
}

export function selectRun(sql: Sql, sessionId: string, runId: string): PendingQuery<RunRecord[]> {
  return sql<RunRecord[]>`select * from runs where session_id = ${sessionId} and id = ${runId}`
}

export function selectRunTaken(sql: Sql, sessionId: string, runId: string): PendingQuery<{ taken: boolean }[]> {
  const prefix = `${runId}-`
  return sql<{ taken: boolean }[]>`
    select exists (select from runs where session_id = ${sessionId} and id = ${runId}) or exists (
      select from messages where session_id = ${sessionId} and starts_with(id, ${prefix}::text)
        and substr(id, length(${prefix}::text) + 1) ~ '^[0-9]+$'
    ) as taken`
}

/** What a run that is on (or was, when its process died) said after message `m` was last written. */
export const tail = (sql: Sql) => sql`(
  select string_agg(t.text, '' order by t.start) from message_tails t
  where t.session_id = m.session_id and t.run_id = m.run_id and t.message_id = m.id and t.start >= length(m.content)
)`

/** A message, and what follows its content. */
export type GrowingRecord = MessageRecord & { readonly tail: string | null }

export function selectRunMessages(sql: Sql, runs: readonly RunRef[]): PendingQuery<GrowingRecord[]> {
  return sql<GrowingRecord[]>`
    select m.*, ${tail(sql)} as tail
    from json_to_recordset(${JSON.stringify(runs)}::text::json) as r("sessionId" uuid, "runId" text)
    join messages m on m.session_id = r."sessionId" and m.run_id = r."runId"
    order by m.session_id, m.index, m.id`
}

/** Only the newest has `total`: each value of each row costs the driver about as much as a short text. */
export type HistoryRecord = Omit<GrowingRecord, 'session_id'> & { readonly total: number | null }

/**
 * Walks the runs from the newest down and stops at the limit; `offset 0` keeps the planner from joining in another way, which
 * takes the square of the session's length. Sizes come from the head of a long text, not from the text.
 * `total` counts the rows before the cut by bytes, one more than `maxMessages` at most.
 */
export function selectHistory(sql: Sql, sessionId: string, query: HistoryQuery): PendingQuery<HistoryRecord[]> {
  const { before, maxMessages, maxBytes } = query
  const start =
    before === undefined
      ? sql``
      : sql`join (
    select r.position, m.index from messages m join runs r on r.session_id = m.session_id and r.id = m.run_id
    where m.session_id = ${sessionId} and m.id = ${before}
  ) before on run.position <= before.position`
  const older = before === undefined ? sql`` : sql`and (run.position < before.position or m.index < before.index)`
  return sql<HistoryRecord[]>`
    select id, run_id, index, role, content, tail, tool_calls, tool_call_id, nullif(is_error, false) as is_error,
      nullif(interrupted, false) as interrupted, blocks, floor(extract(epoch from created_at) * 1000)::float8 as created_at,
      case when number = 1 then total end as total
    from (
      select page.*, count(*) over () ::integer as total,
        row_number() over newest_first as number, sum(octet_length(content)) over newest_first as bytes
      from (
        select message.*, run.position
        from runs run
        ${start}
        cross join lateral (
          select m.*, case when run.status = 'running' then ${tail(sql)} end as tail
          from messages m where m.session_id = run.session_id and m.run_id = run.id ${older} offset 0
        ) message
        where run.session_id = ${sessionId} and run.position is not null and not run.superseded
        order by run.position desc, message.index desc, message.id desc
        limit ${maxMessages + 1}
      ) page
      window newest_first as (order by position desc, index desc, id desc rows unbounded preceding)
    ) cut
    where number = 1 or (number <= ${maxMessages} and bytes <= ${maxBytes})
    order by number desc`
}

export type SummaryRecord = Pick<SessionRecord, 'id' | 'title' | 'status' | 'archived'> & { readonly updated_at: Time }

export function selectSummaries(
  sql: Sql,
  owner: Owner,
  limit: number,
  { before, wallet, proven = false }: SessionChoice = {},
): PendingQuery<SummaryRecord[]> {
  // `is not distinct from` uses no index.
  const same = (column: string, value: string | undefined) =>
    value === undefined ? sql`${sql(column)} is null` : sql`${sql(column)} = ${value}`
  const bound = wallet === undefined ? sql`` : sql`and wallet ->> 'address' = ${wallet}`
  const shown = proven ? sql`and (wallet -> 'proven')::boolean` : sql``
  return sql<SummaryRecord[]>`
    select id, title, status, updated_at, archived from sessions
    where app = ${owner.app} and ${same('account', owner.account)} and ${same('user_id', owner.user)} ${olderThan(sql, before)} ${bound} ${shown}
    order by updated_at desc, id desc limit ${limit}`
}

/** An account's are read from `sessions_by_account`, newest first; those of all are sorted. */
export function selectPage(sql: Sql, query: SessionQuery): PendingQuery<SessionRecord[]> {
  const { account, apps, user, before, limit } = query
  const own = account === undefined ? sql`` : sql`and account = ${account}`
  const named = apps === undefined ? sql`` : sql`and app in ${listed(sql, apps)}`
  const theirs = user === undefined ? sql`` : sql`and user_id = ${user}`
  return sql<SessionRecord[]>`
    select * from sessions where true ${own} ${named} ${theirs} ${olderThan(sql, before)}
    order by updated_at desc, id desc limit ${limit}`
}

function olderThan(sql: Sql, before: SessionPlace | number | undefined) {
  if (before === undefined) return sql``
  if (typeof before === 'number') return sql`and updated_at < ${new Date(before)}`
  return sql`and (updated_at, id) < (${new Date(before.updatedAt)}::timestamptz, ${before.id}::uuid)`
}
