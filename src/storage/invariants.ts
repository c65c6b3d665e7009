import type { Fragment, Sql } from 'postgres'
import { MAX_TITLE_LENGTH } from '../protocol/limits.ts'

/** What must hold of every row, whatever died. `broken` selects what does not: a session (or null) and a run, message or key of it. */
export type Invariant = {
  /** Stable: tests and people name it. */
  readonly name: string
  /** What was found when it does not hold, in words that follow a number. */
  readonly found: string
  readonly broken: (sql: Sql) => Fragment
}

/** Of two machines: that much, and times of one run may come in another order. */
const CLOCKS_APART = '1 minute'
/** Further ahead is no clock that is a little off. */
const FUTURE = '1 day'

/** A function: each use of a fragment is a part of one statement. */
const started = (sql: Sql) => sql`('running', 'finished', 'cancelled', 'failed', 'interrupted')`
const ended = (sql: Sql) => sql`('finished', 'cancelled', 'failed', 'interrupted')`

const calls = (sql: Sql) => sql`(
  select m.session_id, m.run_id, call ->> 'id' as call, count(*) as number from messages m
  cross join lateral jsonb_array_elements(case jsonb_typeof(m.tool_calls) when 'array' then m.tool_calls else '[]' end) call
  group by 1, 2, 3
)`
const results = (sql: Sql) => sql`(
  select session_id, run_id, coalesce(tool_call_id, '') as call, count(*) as number from messages where role = 'tool'
  group by 1, 2, 3
)`

const OF_RUNS: readonly Invariant[] = [
  {
    name: 'positions',
    found: 'sessions whose started runs are not numbered 1, 2, 3 …',
    broken: (sql) => sql`
      select session_id, null::text from runs where position is not null group by session_id
      having min(position) <> 1 or max(position) <> count(*) or count(distinct position) <> count(*)`,
  },
  {
    name: 'started-runs',
    found: 'runs that started without a position, a time or a process, or wait with a position',
    broken: (sql) => sql`
      select session_id, id from runs
      where (status in ${started(sql)} and (position is null or started_at is null or node is null))
        or (status = 'queued' and position is not null)`,
  },
  {
    name: 'one-running',
    found: 'sessions in which two runs are on',
    broken: (sql) => sql`
      select session_id, null::text from runs where status = 'running' group by session_id having count(*) > 1`,
  },
  {
    name: 'questions',
    found: 'runs (queued ones, too) that continue no other and have no user message',
    broken: (sql) => sql`
      select session_id, id from runs r where parent_run_id is null and not exists (
        select from messages m where m.session_id = r.session_id and m.run_id = r.id and m.role = 'user' and m.index = 0
      )`,
  },
  {
    name: 'replaced-runs',
    found: 'runs that replaced another which is still in history',
    broken: (sql) => sql`
      select r.session_id, r.id from runs r
      join runs old on old.session_id = r.session_id and old.id = r.replaces
      where r.status in ${started(sql)} and not old.superseded`,
  },
  {
    name: 'pending-calls',
    found: 'runs that wait for answers though they are not finished, or went on without them',
    broken: (sql) => sql`
      select r.session_id, r.id from runs r
      where r.pending is not null and (r.status <> 'finished' or exists (
        select from runs later where later.session_id = r.session_id and later.position > r.position
          and not (later.status = 'running' and later.parent_run_id = r.id)
      ))`,
  },
  {
    name: 'orphan-runs',
    found: 'runs without a session',
    broken: (sql) => sql`
      select session_id, id from runs r where not exists (select from sessions s where s.id = r.session_id)`,
  },
  {
    name: 'run-times',
    found: 'runs whose times are missing or in the wrong order',
    broken: (sql) => sql`
      select session_id, id from runs
      where started_at < queued_at - ${CLOCKS_APART}::text::interval or ended_at < started_at - ${CLOCKS_APART}::text::interval
        or (status in ('queued', 'running')) <> (ended_at is null)`,
  },
]

const OF_MESSAGES: readonly Invariant[] = [
  {
    name: 'calls-answered',
    found: 'tool calls of ended runs without a result',
    broken: (sql) => sql`
      select c.session_id, c.run_id from ${calls(sql)} c
      join runs r on r.session_id = c.session_id and r.id = c.run_id and r.status in ${ended(sql)}
        and not coalesce(r.pending, '[]') @> jsonb_build_array(jsonb_build_object('toolCallId', c.call))
      left join ${results(sql)} t on t.session_id = c.session_id and t.run_id = c.run_id and t.call = c.call
      where coalesce(t.number, 0) < c.number`,
  },
  {
    name: 'results-asked-for',
    found: 'tool results that no call of their run asked for, or that came twice',
    broken: (sql) => sql`
      select t.session_id, t.run_id from ${results(sql)} t
      left join ${calls(sql)} c on c.session_id = t.session_id and c.run_id = t.run_id and c.call = t.call
      where t.number > coalesce(c.number, 0)`,
  },
  {
    name: 'message-indexes',
    found: 'runs whose messages are not numbered 0, 1, 2 …',
    // A run that is on may have stored the second of two results first.
    broken: (sql) => sql`
      select m.session_id, m.run_id from messages m
      join runs r on r.session_id = m.session_id and r.id = m.run_id
      group by m.session_id, m.run_id, r.status
      having min(m.index) <> 0 or count(distinct m.index) <> count(*)
        or (r.status <> 'running' and max(m.index) + 1 <> count(*))`,
  },
  {
    name: 'orphan-messages',
    found: 'messages without a run',
    broken: (sql) => sql`
      select session_id, run_id from messages m
      where not exists (select from runs r where r.session_id = m.session_id and r.id = m.run_id)`,
  },
  {
    name: 'tails',
    found: 'pieces of an answer whose run is not on, or whose message is not there',
    broken: (sql) => sql`
      select t.session_id, t.run_id from message_tails t
      where not exists (select from runs r where r.session_id = t.session_id and r.id = t.run_id and r.status = 'running')
        or not exists (
          select from messages m where m.session_id = t.session_id and m.run_id = t.run_id and m.id = t.message_id
        )`,
  },
]

const OF_SESSIONS: readonly Invariant[] = [
  {
    name: 'session-status',
    found: 'sessions whose status is not that of their runs',
    broken: (sql) => sql`
      select s.id, coalesce(running.id, last.id) from sessions s
      left join lateral (
        select id from runs r where r.session_id = s.id and r.status = 'running' limit 1
      ) running on true
      left join lateral (
        select id, status from runs r
        where r.session_id = s.id and r.position is not null and not r.superseded and r.status in ${ended(sql)}
        order by r.position desc limit 1
      ) last on true
      where s.status <> 'processing' and (running.id is not null or (
        not exists (select from runs r where r.session_id = s.id and r.status = 'queued')
        and (s.status = 'interrupted') <> (coalesce(last.status, 'finished') in ('cancelled', 'interrupted'))
      ))`,
  },
  {
    name: 'titles',
    found: 'sessions with a title that is too long, or with half of one',
    broken: (sql) => sql`
      select id, null::text from sessions
      where (title is null) <> (title_by is null) or char_length(title) > ${MAX_TITLE_LENGTH}::integer`,
  },
  {
    name: 'session-times',
    found: 'sessions whose times are in the wrong order or in the future',
    broken: (sql) => sql`
      select id, null::text from sessions
      where updated_at < created_at - ${CLOCKS_APART}::text::interval or updated_at > now() + ${FUTURE}::text::interval`,
  },
  {
    name: 'keys-with-apps',
    found: 'keys that are neither revoked nor expired, open no App and administer nothing',
    broken: (sql) => sql`
      select null::uuid, id from keys k
      where revoked_at is null and (expires_at is null or expires_at > now()) and not scopes @> '["operator"]'
        and not scopes @> '["admin"]' and not exists (select from key_apps a where a.key_id = k.id)`,
  },
  {
    name: 'key-tags',
    found: 'keys with a tag that is not of 16 bits: nobody can use them',
    broken: (sql) => sql`select null::uuid, id from keys where tag not between 0 and 65535`,
  },
]

/** In the order in which they are told. */
export const INVARIANTS: readonly Invariant[] = [...OF_RUNS, ...OF_MESSAGES, ...OF_SESSIONS]
