import type { PrivacyStore } from '../ports/privacy.ts'
import type { Connection, Patience, Pool } from './connection.ts'
import { eraseSession } from './erase.ts'
import { createExports, matches } from './export.ts'
import { toFault, toStoreError } from './faults.ts'
import { Line } from './line.ts'
import { RETENTION } from './node-lock.ts'
import { type SessionRecord, toSession } from './rows.ts'

/** Ids that are read at once before they are removed one by one: half a minute's work. */
const PAGE = 1000

export type PrivacyStoreOptions = { readonly connection: Connection; readonly pool: Pool; readonly patience: Patience }

export function createPrivacyStore({ connection, pool, patience }: PrivacyStoreOptions): PrivacyStore {
  return {
    ...createExports(connection),
    async listSessions(filter, limit) {
      const records = await pool.query(
        (sql) => sql<SessionRecord[]>`
          select * from sessions where ${matches(sql, filter)} order by updated_at desc, id limit ${limit}`,
      )
      return records.map(toSession)
    },
    async countUntouched(app, since) {
      const [row] = await pool.query(
        (sql) => sql<{ count: number }[]>`
          select count(*)::integer as count from sessions where app = ${app} and updated_at < ${new Date(since)}`,
      )
      return row?.count ?? 0
    },
    async removeUntouched(app, since, signal) {
      for (let removed = 0; ; ) {
        const ids = await pool.query(
          (sql) => sql<{ id: string }[]>`
            select id from sessions where app = ${app} and updated_at < ${new Date(since)} limit ${PAGE}`,
        )
        const before = removed
        for (const { id } of ids) {
          if (signal?.aborted === true) return removed
          if (await eraseSession(pool, patience, id, { untouchedSince: since })) removed++
        }
        // Those that are left were written to meanwhile.
        if (ids.length < PAGE || removed === before) return removed
      }
    },
    async alone(work) {
      const line = new Line({ connection, patience, prepare: async () => {} })
      try {
        const [row] = await line
          .query(
            (sql) => sql<{ held: boolean }[]>`
              select pg_try_advisory_lock(${RETENTION.space}::integer, ${RETENTION.key}::integer) as held`,
          )
          .catch((thrown: unknown) => {
            throw toStoreError(toFault(thrown))
          })
        return row?.held === true ? await work() : undefined
      } finally {
        await line.close()
      }
    },
  }
}
