import type { ActRow, AuditStore } from '../ports/audit.ts'
import type { Pool } from './connection.ts'
import { type Time, toMillis } from './rows.ts'

type ActRecord = {
  readonly id: string
  readonly at: Time
  readonly actor: string
  readonly account: string | null
  readonly act: ActRow['act']
  readonly target: string
  readonly address: string | null
  readonly outcome: string
}

/** Rows that one act removes: more than it adds, so that what is too old is soon gone. */
const PRUNED = 100

export function createAuditStore(pool: Pool): AuditStore {
  return {
    async beginAct({ actor, account, act, target, address, at }, since) {
      const [row] = await pool.query((sql) => {
        return sql<{ id: string }[]>`
          with pruned as (
            delete from acts where id in (
              select id from acts where at < ${new Date(since)}::timestamptz order by at limit ${PRUNED} for update skip locked
            )
          )
          insert into acts (at, actor, account, act, target, address, outcome)
          values (${new Date(at)}::timestamptz, ${actor}, ${account ?? null}, ${act}, ${target}, ${address ?? null}, 'begun')
          returning id::text`
      })
      return row?.id ?? ''
    },
    async endAct(id, outcome) {
      await pool.query((sql) => sql`update acts set outcome = ${outcome} where id = ${id}::bigint`)
    },
    async listActs({ account, before, limit, since }) {
      const records = await pool.query((sql) => {
        const own = account === undefined ? sql`` : sql`and account = ${account}`
        const older = before === undefined ? sql`` : sql`and id < ${before}::bigint`
        return sql<ActRecord[]>`
          select *, id::text as id from acts where at >= ${new Date(since)}::timestamptz ${own} ${older}
          order by acts.id desc limit ${limit}`
      })
      return records.map(toAct)
    },
  }
}

function toAct({ id, at, actor, account, act, target, address, outcome }: ActRecord): ActRow {
  const where = { ...(account === null ? {} : { account }), ...(address === null ? {} : { address }) }
  return { id, at: toMillis(at), actor, act, target, outcome, ...where }
}
