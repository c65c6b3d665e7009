import type { PendingQuery, Sql } from 'postgres'
import { NOTIFY } from './changes.ts'
import type { EncodedWrite } from './encode.ts'
import { MAX_NAMED_SESSIONS, writtenBy } from './session-changes.ts'

/**
 * The one statement of the write path. Rows come as JSON in the port's own field names, one array per table:
 * $1 sessions, $2 runs, $3 messages, $4 guards, and where they are needed tails of messages, what to supersede, what to tell.
 *
 * `fenced` runs first and locks the runs that exist, so that the fence it sees is the newest and stays so until the end; of a
 * run that is not written itself it wants that it exists. A session in it, or one that is known and is not there (any more), is
 * `refused`: it gets nothing written and is returned.
 */
const GUARDS = `
  with fenced as materialized (
    select coalesce(array_agg(g."sessionId"), '{}') as ids
    from json_to_recordset($4::text::json) as g("sessionId" uuid, "runId" text, fence integer, node text)
    left join lateral (
      select r.fence, r.node, r.status from runs r where r.session_id = g."sessionId" and r.id = g."runId"
      for no key update
    ) stored on true
    where stored.fence > g.fence or (stored.node <> g.node and stored.fence = coalesce(g.fence, stored.fence))
      or (g.fence is null and coalesce(stored.status not in ('queued', 'running'), true))
  )`

const allowed = (id: string) => `${id} <> all ((select ids from refused)::uuid[])`
const time = (field: string) => `to_timestamp(${field} / 1000)`
/** Every column takes the new row's value. */
const replace = (columns: readonly string[]) => columns.map((column) => `${column} = excluded.${column}`).join(', ')

const GIVEN_SESSIONS = `json_to_recordset($1::text::json) as s(id uuid, app text, account text, "user" text,
  status session_status, title text, "titleBy" title_source, wallet jsonb, model text, "createdAt" float8, "updatedAt" float8,
  archived boolean, vault text, known boolean)`

/**
 * Those that are there as they were made are locked, so that they stay; a row that another process is deleting is waited for.
 * The others are refused. A probe of the index for each: a join could walk all of the table.
 */
const KNOWN = `
  known_rows as materialized (
    select s.id from ${GIVEN_SESSIONS}
    cross join lateral (
      select from sessions t where t.id = s.id and t.created_at = ${time('s."createdAt"')} for no key update
    ) stored
    where s.known and s.id <> all ((select ids from fenced)::uuid[])
  ),
  refused as materialized (
    select ids || array(select s.id from ${GIVEN_SESSIONS}
      where s.known and s.id <> all (ids) and s.id not in (select id from known_rows)) as ids
    from fenced
  )`
const NONE_KNOWN = 'refused as (select ids from fenced)'

/**
 * An owner never changes: a row of another owner makes `app` null, which the column refuses (see faults.ts). What people set is
 * kept where the write does not name it; a wallet that is unbound is `false`, because JSON's null is SQL's. When it was made
 * stays: by that a session is told from one of the same id before it.
 */
const SESSIONS = `
  session_rows as (
    insert into sessions as t
      (id, app, account, user_id, status, title, title_by, wallet, model, created_at, updated_at, archived, vault)
    select id, app, account, "user", status, title, "titleBy", wallet, model, ${time('"createdAt"')}, ${time('"updatedAt"')},
      archived, vault
    from ${GIVEN_SESSIONS}
    where ${allowed('id')}
    on conflict (id) do update set
      app = case when (t.app, t.account, t.user_id) is not distinct from (excluded.app, excluded.account, excluded.user_id)
        then t.app end,
      title = coalesce(excluded.title, t.title), title_by = coalesce(excluded.title_by, t.title_by),
      wallet = case when excluded.wallet = 'false'::jsonb then null else coalesce(excluded.wallet, t.wallet) end,
      model = coalesce(excluded.model, t.model), archived = coalesce(excluded.archived, t.archived),
      vault = coalesce(excluded.vault, t.vault),
      ${replace(['status', 'updated_at'])}
  )`

const RUN_COLUMNS = [
  'status',
  'parent_run_id',
  'replaces',
  'position',
  'model',
  'usage',
  'error_code',
  'pending',
  'queued_at',
  'started_at',
  'ended_at',
  'node',
  'fence',
  'key_id',
]

const RUNS = `
  run_rows as (
    insert into runs (session_id, id, ${RUN_COLUMNS.join(', ')})
    select "sessionId", id, status, "parentRunId", replaces, position, model, usage, "errorCode", pending, ${time('"queuedAt"')},
      ${time('"startedAt"')}, ${time('"endedAt"')}, node, fence, "keyId"
    from json_to_recordset($2::text::json) as r("sessionId" uuid, id text, status run_status, "parentRunId" text, replaces text,
      position integer, model text, usage jsonb, "errorCode" text, pending jsonb, "queuedAt" float8, "startedAt" float8, "endedAt" float8,
      node text, fence integer, "keyId" text)
    where ${allowed('"sessionId"')}
    on conflict (session_id, id) do update set ${replace(RUN_COLUMNS)}
  )`

const MESSAGE_COLUMNS = [
  'index',
  'role',
  'content',
  'tool_calls',
  'tool_call_id',
  'is_error',
  'interrupted',
  'blocks',
  'created_at',
]

/** An id that another run took is refused by the primary key instead of moving the message. */
const MESSAGES = `
  message_rows as (
    insert into messages (session_id, id, run_id, ${MESSAGE_COLUMNS.join(', ')})
    select "sessionId", id, "runId", index, role, content, "toolCalls", "toolCallId", coalesce("isError", false),
      coalesce(interrupted, false), blocks, ${time('"createdAt"')}
    from json_to_recordset($3::text::json) as m("sessionId" uuid, id text, "runId" text, index integer, role message_role,
      content text, "toolCalls" jsonb, "toolCallId" text, "isError" boolean, interrupted boolean, blocks jsonb,
      "createdAt" float8)
    where ${allowed('"sessionId"')}
    on conflict (session_id, run_id, id) do update set ${replace(MESSAGE_COLUMNS)}
  )`

const supersede = (parameter: string) => `
  superseded as (
    update runs t set superseded = true
    from json_to_recordset(${parameter}::text::json) as x("sessionId" uuid, "from" text, keep text[])
    join runs first on first.session_id = x."sessionId" and first.id = x."from"
    where t.session_id = first.session_id and t.position >= first.position and not t.superseded and t.id <> all (x.keep)
      and ${allowed('x."sessionId"')}
  )`

/** What follows a message that is there; given again it replaces itself. */
const tails = (parameter: string) => `
  tail_rows as (
    insert into message_tails (session_id, run_id, message_id, start, text)
    select t.session_id, t.run_id, t.id, x."from", x.text
    from json_to_recordset(${parameter}::text::json) as x("sessionId" uuid, id text, "runId" text, "from" integer, text text)
    join messages t on t.session_id = x."sessionId" and t.run_id = x."runId" and t.id = x.id
    where ${allowed('x."sessionId"')}
    on conflict (session_id, run_id, message_id, start) do update set text = excluded.text
  )`

/** The messages of a run that has ended are whole. */
const ENDS = `
  ended as (
    delete from message_tails t
    using json_to_recordset($2::text::json) as r("sessionId" uuid, id text, status run_status)
    where t.session_id = r."sessionId" and t.run_id = r.id and r.status not in ('queued', 'running')
      and ${allowed('r."sessionId"')}
  )`

/** A row that other processes read, and a notice that wakes them. */
const told = (parameter: string) => `
  told as (
    insert into changes (kind, ref) select 'session', x.ref from json_array_elements_text(${parameter}::text::json) x (ref)
    returning ${NOTIFY}
  )`

const RESULT = ' select unnest(ids) as id from refused'

const json = (rows: Iterable<string>) => `[${[...rows].join(',')}]`

/**
 * Writes of distinct sessions; resolves with the sessions that a fence refused, once all others are durable. `teller`: this
 * process, where others are present that must hear of it. The statement has only the parts that the batch needs: each costs
 * something even when it is idle.
 */
export function writeStatement(
  sql: Sql,
  writes: readonly EncodedWrite[],
  teller?: string,
): PendingQuery<{ id: string }[]> {
  const params = [
    json(writes.flatMap(({ session, known }) => (session === undefined ? [] : [sessionJson(session, known)]))),
    json(writes.flatMap((write) => [...write.runs.values()])),
    json(writes.flatMap((write) => [...write.messages.values()])),
    json(writes.flatMap((write) => [...write.guards.values()])),
  ]
  const rows = writes.filter(({ session }) => session !== undefined)
  const parts = [GUARDS, rows.some(({ known }) => known) ? KNOWN : NONE_KNOWN, RUNS, MESSAGES, SESSIONS]
  const add = (part: (parameter: string) => string, rows: readonly string[], toText = json): void => {
    if (rows.length > 0) parts.push(part(`$${params.push(toText(rows))}`))
  }
  add(
    tails,
    writes.flatMap((write) => [...write.tails.values()]),
  )
  add(
    supersede,
    writes.flatMap((write) => write.supersede ?? []),
  )
  if (writes.some((write) => write.ends)) parts.push(ENDS)
  if (teller !== undefined) add(told, refsOf(teller, writes), JSON.stringify)
  return sql.unsafe<{ id: string }[]>(parts.join(',') + RESULT, params, { prepare: true })
}

function sessionJson(session: NonNullable<EncodedWrite['session']>, known: boolean): string {
  return JSON.stringify({
    ...session,
    ...(session.wallet === null ? { wallet: false } : {}),
    ...(known ? { known } : {}),
  })
}

/** What others must hear of: checkpoints they find by themselves. */
function refsOf(teller: string, writes: readonly EncodedWrite[]): string[] {
  const ids = writes.flatMap((write) => (write.session === undefined && write.runs.size === 0 ? [] : [write.sessionId]))
  const refs: string[] = []
  for (let at = 0; at < ids.length; at += MAX_NAMED_SESSIONS)
    refs.push(writtenBy(teller, ids.slice(at, at + MAX_NAMED_SESSIONS)))
  return refs
}
