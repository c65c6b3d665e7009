import type { LoadedSession, MessageRow, OpenRun, SessionStore, SessionSummary } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { Batcher } from './batcher.ts'
import { notify, recordChange } from './changes.ts'
import { type Patience, type Pool, within } from './connection.ts'
import { eraseSession } from './erase.ts'
import { storeAway, toFault, toStoreError } from './faults.ts'
import type { GroupCommit } from './group-commit.ts'
import type { NodeWatch } from './node-watch.ts'
import { toMessage, toMillis, toOpenRun, toRun, toSession, toStoredRun } from './rows.ts'
import { toldTo } from './session-changes.ts'
import {
  type GrowingRecord,
  type LoadedRecord,
  type SummaryRecord,
  selectHistory,
  selectRun,
  selectRunMessages,
  selectRunTaken,
  selectSend,
  selectSessions,
  selectSummaries,
} from './session-queries.ts'

/** In a storm look-ups wait for each other, as a query costs more than what it finds; a single one waits for nobody. */
const STORM = { from: 4, gatherMs: 4, lastsMs: 50 }
/** Milliseconds for an answer to whoever asks whether the store is there: those who ask wait a second themselves. */
const PING_MS = 900
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export type SessionStoreOptions = {
  readonly node: string
  readonly pool: Pool
  readonly commits: GroupCommit
  readonly patience: Patience
  readonly watch: NodeWatch
}

export function createSessionStore({
  node,
  pool,
  commits,
  patience,
  watch,
}: SessionStoreOptions): Omit<SessionStore, 'others'> {
  const loads = new Batcher<LoadedSession>(async (ids) => {
    const records = await pool.query((sql) => selectSessions(sql, ids, node))
    return new Map(records.map((record) => [record.id, toLoaded(record, watch)]))
  }, STORM)
  return {
    node,
    // A malformed id is nobody's, and must not fail the query of all others.
    load: (sessionId) => (UUID.test(sessionId) ? loads.get(sessionId) : Promise.resolve(undefined)),
    async history(sessionId, query) {
      const records = await pool.query((sql) => selectHistory(sql, sessionId, query))
      const messages = records.map((record) => toWhole(sessionId, record))
      return { messages, hasMore: (records.at(-1)?.total ?? 0) > records.length }
    },
    async findSend(sessionId, clientMessageId): Promise<OpenRun | undefined> {
      const [record] = await pool.query((sql) => selectSend(sql, sessionId, clientMessageId, node))
      return record && toOpenRun(record.found, watch)
    },
    async findRun(sessionId, runId) {
      const [record] = await pool.query((sql) => selectRun(sql, sessionId, runId))
      return record && toStoredRun(record)
    },
    async isRunTaken(sessionId, runId) {
      const [record] = await pool.query((sql) => selectRunTaken(sql, sessionId, runId))
      return record?.taken === true
    },
    runMessages: async (runs) =>
      runs.length === 0 ? new Map() : bySession(await pool.query((sql) => selectRunMessages(sql, runs))),
    async tellElsewhere(word, runs) {
      await pool.query((sql) => {
        const refs = JSON.stringify(runs.map((run) => toldTo(word, run)))
        const rows = sql`select value from json_array_elements_text(${refs}::text::json)`
        return sql`with ${recordChange(sql, 'session', rows)} select ${notify(sql)}`
      })
    },
    commit: (write, options) => commits.commit(write, options),
    async list(owner, limit, which) {
      const records = await pool.query((sql) => selectSummaries(sql, owner, limit, which))
      return records.map(toSummary)
    },
    async delete(sessionId, only) {
      if (!UUID.test(sessionId)) return false
      // A write that is queued would make the session again.
      await within(commits.settled(sessionId), patience.answerMs).catch((error: unknown) => {
        throw toStoreError(toFault(error))
      })
      return eraseSession(pool, patience, sessionId, only)
    },
    ping: () => ping(pool, commits),
  }
}

function toSummary({ id, title, status, archived, updated_at }: SummaryRecord): SessionSummary {
  const names = { ...(title === null ? {} : { title }), ...(archived === null ? {} : { archived }) }
  return { id, ...names, status, updatedAt: toMillis(updated_at) }
}

async function ping(pool: Pool, commits: GroupCommit): Promise<void> {
  // A full disk answers reads.
  if (commits.failing) throw storeAway()
  const answer = pool.query((sql) => sql`select 1`)
  await within(answer, PING_MS).catch((error: unknown) => {
    throw error instanceof ParleyError ? error : toStoreError(toFault(error))
  })
}

function bySession(records: readonly GrowingRecord[]): ReadonlyMap<string, readonly MessageRow[]> {
  const found = new Map<string, MessageRow[]>()
  for (const record of records) {
    const rows = found.get(record.session_id)
    const row = toWhole(record.session_id, record)
    if (rows === undefined) found.set(record.session_id, [row])
    else rows.push(row)
  }
  return found
}

function toLoaded(record: LoadedRecord, watch: NodeWatch): LoadedSession {
  return {
    session: toSession(record),
    openRuns: (record.open_runs ?? []).map((open) => toOpenRun(open, watch)),
    ...(record.last_run === null ? {} : { lastRun: toRun(record.last_run) }),
    lastPosition: record.last_position,
  }
}

function toWhole(sessionId: string, record: Omit<GrowingRecord, 'session_id'>): MessageRow {
  const message = toMessage(sessionId, record)
  return record.tail === null ? message : { ...message, content: message.content + record.tail }
}
