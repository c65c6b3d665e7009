import type { Fragment, ISql, PendingQuery, Sql } from 'postgres'
import { EXPORT_FORMAT, type ExportLine, type SessionExports, type SessionFilter } from '../ports/privacy.ts'
import type { MessageRow, RunRow, SessionRow } from '../ports/store.ts'
import { type Connection, connectOnce, discard } from './connection.ts'
import { toFault, toStoreError } from './faults.ts'
import { type MessageRecord, type RunRecord, type SessionRecord, toMessage, toRun, toSession } from './rows.ts'
import { tail } from './session-queries.ts'

/** Sessions, and rows of one session, that are read at once: with the longest messages some megabytes. */
const PAGE = 50
/** Below every id. */
const FIRST = '00000000-0000-0000-0000-000000000000'

type ItemRecord = {
  readonly run: RunRecord
  readonly message: MessageRecord | null
  readonly tail: string | null
}

/** On a connection of its own: one snapshot for all of it, however long the reader takes. */
export function createExports(connection: Connection): SessionExports {
  return {
    async *exportSessions(filter) {
      const sql = connectOnce(connection)
      try {
        await sql`begin isolation level repeatable read read only`
        // A large session is sorted once.
        await sql`set local statement_timeout = 0`
        yield* exportAll(sql, filter)
      } catch (thrown) {
        throw toStoreError(toFault(thrown))
      } finally {
        await discard(sql)
      }
    },
  }
}

async function* exportAll(sql: Sql, filter: SessionFilter): AsyncGenerator<ExportLine, void, undefined> {
  let [sessions, runs, messages] = [0, 0, 0]
  for (let last = FIRST; ; ) {
    const page = await selectPage(sql, filter, last)
    for (const record of page) {
      sessions++
      yield sessionLine(toSession(record))
      for await (const line of exportItems(sql, record.id)) {
        if (line.type === 'run') runs++
        else messages++
        yield line
      }
    }
    last = page.at(-1)?.id ?? last
    if (page.length < PAGE) break
  }
  yield { type: 'end', sessions, runs, messages }
}

async function* exportItems(sql: Sql, sessionId: string): AsyncGenerator<ExportLine, void, undefined> {
  let runId: string | undefined
  await sql`declare items no scroll cursor for ${itemsOf(sql, sessionId)}`
  for (let isLast = false; !isLast; ) {
    const records = await sql.unsafe<ItemRecord[]>(`fetch ${PAGE} from items`)
    isLast = records.length < PAGE
    for (const { run, message, tail: rest } of records) {
      if (run.id !== runId) yield runLine(toRun(run), run.superseded)
      runId = run.id
      if (message !== null) yield messageLine(toMessage(message.session_id, message), rest ?? '')
    }
  }
  await sql`close items`
}

/** By id: the order of an index, which needs no sort and finds its place again. */
function selectPage(sql: Sql, filter: SessionFilter, last: string): PendingQuery<SessionRecord[]> {
  return sql<SessionRecord[]>`
    select * from sessions where ${matches(sql, filter)} and id > ${last} order by id limit ${PAGE}`
}

/** The conditions of a filter on `sessions`. */
export function matches(sql: ISql, { app, account, user, session }: SessionFilter): Fragment {
  const is = (column: string, value: string | null | undefined): Fragment => {
    if (value === undefined) return sql`true`
    return value === null ? sql`${sql(column)} is null` : sql`${sql(column)} = ${value}`
  }
  return sql`${is('app', app)} and ${is('account', account)} and ${is('user_id', user)} and ${is('id', session)}`
}

function itemsOf(sql: Sql, sessionId: string): Fragment {
  return sql`
    select to_jsonb(r) as run, to_jsonb(m) as message, ${tail(sql)} as tail
    from runs r left join messages m on m.session_id = r.session_id and m.run_id = r.id
    where r.session_id = ${sessionId}
    order by r.position nulls last, r.queued_at, r.id, m.index, m.id`
}

const iso = (ms: number): string => new Date(ms).toISOString()

function sessionLine({ createdAt, updatedAt, ...session }: SessionRow): ExportLine {
  const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt) }
  return { type: 'session', format: EXPORT_FORMAT, ...session, ...times }
}

function runLine(row: RunRow, superseded: boolean): ExportLine {
  const { node: _node, fence: _fence, pending, queuedAt, startedAt, endedAt, ...run } = row
  return {
    type: 'run',
    ...run,
    ...(superseded ? { superseded: true } : {}),
    ...(pending === undefined ? {} : { pending: pending.map(({ claim: _claim, ...call }) => call) }),
    queuedAt: iso(queuedAt),
    ...(startedAt === undefined ? {} : { startedAt: iso(startedAt) }),
    ...(endedAt === undefined ? {} : { endedAt: iso(endedAt) }),
  }
}

function messageLine({ blocks: _blocks, createdAt, content, ...message }: MessageRow, rest: string): ExportLine {
  return { type: 'message', ...message, content: content + rest, createdAt: iso(createdAt) }
}
