import { NOTIFY } from './changes.ts'

/**
 * The one statement of the write path. Rows come as JSON in the port's own field names, one array for each of these, in this
 * order. `guards`: runs that are not written themselves, but something of them. `told`: what other processes must hear of.
 */
const PARAMETERS = ['sessions', 'runs', 'messages', 'guards', 'tails', 'superseding', 'told'] as const
type Parameter = (typeof PARAMETERS)[number]

/** Each row as JSON. */
export type Rows = Readonly<Record<Parameter, readonly string[]>>

export type Kind = {
  /** Some of the sessions are stored already. */
  readonly known: boolean
  /** Some of the runs have ended. */
  readonly ends: boolean
}

const allowed = (id: string) => `${id} <> all ((select ids from refused)::uuid[])`
const time = (field: string) => `to_timestamp(${field} / 1000)`
/** Every column takes the new row's value. */
const replace = (columns: readonly string[]) => columns.map((column) => `${column} = excluded.${column}`).join(', ')

const givenSessions = (parameter: string) => `
  given_sessions as (
    select * from json_to_recordset(${parameter}::text::json) as s(id uuid, app text, account text, "user" text,
      status session_status, title text, "titleBy" title_source, wallet jsonb, model text, "createdAt" float8,
      "updatedAt" float8, archived boolean, vault text, known boolean)
  )`

const givenRuns = (parameter: string) => `
  given_runs as (
    select * from json_to_recordset(${parameter}::text::json) as r("sessionId" uuid, id text, status run_status,
      "parentRunId" text, replaces text, position integer, model text, usage jsonb, "errorCode" text, pending jsonb,
      "queuedAt" float8, "startedAt" float8, "endedAt" float8, node text, fence integer, "keyId" text,
      superseded boolean)
  )`

/** A run that is written is its own guard. */
const GUARDS_OF_RUNS = 'select "sessionId", id as "runId", fence, node from given_runs'
const guards = (parameter: string) => `
  select "sessionId", "runId", null::integer as fence, node
  from json_to_recordset(${parameter}::text::json) as g("sessionId" uuid, "runId" text, node text)`

/**
 * Runs first and locks the runs that exist, so that the fence it sees is the newest and stays so until the end; of a run that
 * is not written itself it wants that it exists. A session in it, or one that is known and is not there (any more), is
 * `refused`: it gets nothing written and is returned.
 */
const fenced = (sources: readonly string[]) => `
  fenced as materialized (
    select coalesce(array_agg(g."sessionId"), '{}') as ids
    from (${sources.join(' union all ')}) g
    left join lateral (
      select r.fence, r.node, r.status from runs r where r.session_id = g."sessionId" and r.id = g."runId"
      for no key update
    ) stored on true
    where stored.fence > g.fence or (stored.node <> g.node and stored.fence = coalesce(g.fence, stored.fence))
      or (g.fence is null and coalesce(stored.status not in ('queued', 'running'), true))
  )`
const NONE_FENCED = `fenced as (select '{}'::uuid[] as ids)`

/**
 * Those that are there as they were made are locked, so that they stay; a row that another process is deleting is waited for.
 * The others are refused. A probe of the index for each: a join could walk all of the table.
 */
const KNOWN = `
  known_rows as materialized (
    select s.id from given_sessions s
    cross join lateral (
      select from sessions t where t.id = s.id and t.created_at = ${time('s."createdAt"')} for no key update
    ) stored
    where s.known and s.id <> all ((select ids from fenced)::uuid[])
  ),
  refused as materialized (
    select ids || array(select s.id from given_sessions s
      where s.known and s.id <> all (ids) and s.id not in (select id from known_rows)) as ids
    from fenced
  )`
const NONE_KNOWN = 'refused as (select ids from fenced)'

/** A person gave it its title, which nothing else takes the place of: who made another may not have heard of that yet. */
const NAMED = `t.title_by = 'person' and excluded.title_by <> 'person'`

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
    from given_sessions
    where ${allowed('id')}
    on conflict (id) do update set
      app = case when (t.app, t.account, t.user_id) is not distinct from (excluded.app, excluded.account, excluded.user_id)
        then t.app end,
      title = case when ${NAMED} then t.title else coalesce(excluded.title, t.title) end,
      title_by = case when ${NAMED} then t.title_by else coalesce(excluded.title_by, t.title_by) end,
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

/** A statement changes a row once: a run that it writes and takes out of history is not among what `supersede` finds. */
const RUNS = `
  run_rows as (
    insert into runs (session_id, id, superseded, ${RUN_COLUMNS.join(', ')})
    select "sessionId", id, coalesce(superseded, false), status, "parentRunId", replaces, position, model, usage, "errorCode", pending, ${time('"queuedAt"')},
      ${time('"startedAt"')}, ${time('"endedAt"')}, node, fence, "keyId"
    from given_runs
    where ${allowed('"sessionId"')}
    on conflict (session_id, id) do update set superseded = runs.superseded or excluded.superseded, ${replace(RUN_COLUMNS)}
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
const messages = (parameter: string) => `
  message_rows as (
    insert into messages (session_id, id, run_id, ${MESSAGE_COLUMNS.join(', ')})
    select "sessionId", id, "runId", index, role, content, "toolCalls", "toolCallId", coalesce("isError", false),
      coalesce(interrupted, false), blocks, ${time('"createdAt"')}
    from json_to_recordset(${parameter}::text::json) as m("sessionId" uuid, id text, "runId" text, index integer, role message_role,
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
    delete from message_tails t using given_runs r
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

const texts = new Map<string, string>()

/** The values of the statement's parameters: of what there are no rows it has none. */
export function parametersOf(rows: Rows): string[] {
  return given(rows).map((parameter) => `[${rows[parameter].join(',')}]`)
}

/**
 * The statement for such rows: only the parts that they need, as each costs something even when it is idle. Made once for each
 * kind of batch, and short: the driver hashes all of it at each use.
 */
export function textOf(rows: Rows, kind: Kind): string {
  const parameters = given(rows)
  const key = `${parameters.join()} ${kind.known} ${kind.ends}`
  const text = texts.get(key) ?? makeText(parameters, kind)
  texts.set(key, text)
  return text
}

function given(rows: Rows): readonly Parameter[] {
  return PARAMETERS.filter((parameter) => rows[parameter].length > 0)
}

function makeText(parameters: readonly Parameter[], { known, ends }: Kind): string {
  const part = (parameter: Parameter, make: (number: string) => string): string[] => {
    const at = parameters.indexOf(parameter)
    return at < 0 ? [] : [make(`$${at + 1}`)]
  }
  const sources = [...part('runs', () => GUARDS_OF_RUNS), ...part('guards', guards)]
  const parts = [
    ...part('sessions', givenSessions),
    ...part('runs', givenRuns),
    sources.length === 0 ? NONE_FENCED : fenced(sources),
    known ? KNOWN : NONE_KNOWN,
    ...part('runs', () => RUNS),
    ...part('messages', messages),
    ...part('sessions', () => SESSIONS),
    ...part('tails', tails),
    ...part('superseding', supersede),
    ...(ends ? [ENDS] : []),
    ...part('told', told),
  ]
  return `with ${parts.join(',')}${RESULT}`.replaceAll(/\s+/g, ' ')
}
