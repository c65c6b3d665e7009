import type { UsageStore } from '../ports/usage.ts'
import type { Pool } from './connection.ts'

export function createUsageStore(pool: Pool): UsageStore {
  return {
    /** By the sessions that changed since: a run's end changes its session, and those have an index by App. */
    async tokensSince(app, since) {
      const [row] = await pool.query((sql) => {
        const from = sql`${new Date(since)}::timestamptz`
        return sql<{ tokens: number }[]>`
          select coalesce(sum((u ->> 'inputTokens')::numeric + (u ->> 'outputTokens')::numeric), 0)::double precision as tokens
          from sessions s
          join runs r on r.session_id = s.id
          cross join lateral jsonb_array_elements(r.usage) u
          where s.app = ${app} and s.updated_at >= ${from} and r.ended_at >= ${from} and r.usage is not null`
      })
      return row?.tokens ?? 0
    },
  }
}
