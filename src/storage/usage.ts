import type { UsageQuery, UsageRow } from '../ports/admin-store.ts'
import type { UsageStore } from '../ports/usage.ts'
import type { Pool } from './connection.ts'
import { listed } from './rows.ts'

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

type UsageRecord = {
  readonly day: string
  readonly account: string | null
  readonly app: string
  readonly key_id: string | null
  readonly runs: number
  readonly input: number
  readonly output: number
  readonly cached: number
}

/** Runs that never started asked no model. Sums leave Postgres as doubles: whole up to 2^53. */
export async function countUsage(pool: Pool, query: UsageQuery): Promise<readonly UsageRow[]> {
  const { account, apps, from, to, limit } = query
  const records = await pool.query((sql) => {
    const own = account === undefined ? sql`` : sql`and s.account = ${account}`
    const named = apps === undefined ? sql`` : sql`and s.app in ${listed(sql, apps)}`
    return sql<UsageRecord[]>`
      select to_char(r.queued_at, 'YYYY-MM-DD') as day, s.account, s.app, r.key_id, count(*)::integer as runs,
        coalesce(sum(used.input), 0)::float8 as input, coalesce(sum(used.output), 0)::float8 as output,
        coalesce(sum(used.cached), 0)::float8 as cached
      from runs r
      join sessions s on s.id = r.session_id
      left join lateral (
        select sum((u ->> 'inputTokens')::numeric) as input, sum((u ->> 'outputTokens')::numeric) as output,
          sum((u ->> 'cachedInputTokens')::numeric) as cached
        from jsonb_array_elements(case jsonb_typeof(r.usage) when 'array' then r.usage else '[]' end) u
      ) used on true
      where r.queued_at >= ${new Date(from)}::timestamptz and r.queued_at < ${new Date(to)}::timestamptz
        and r.position is not null ${own} ${named}
      group by 1, 2, 3, 4 order by 1, 2 nulls first, 3, 4 nulls first limit ${limit}`
  })
  return records.map(toUsage)
}

function toUsage({ day, account, app, key_id, runs, input, output, cached }: UsageRecord): UsageRow {
  const whose = { ...(account === null ? {} : { account }), ...(key_id === null ? {} : { key: key_id }) }
  return { day, app, ...whose, runs, inputTokens: input, outputTokens: output, cachedInputTokens: cached }
}
