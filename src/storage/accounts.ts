import type { AccountRow, AccountStore } from '../ports/accounts.ts'
import { notify, recordChange } from './changes.ts'
import type { Pool } from './connection.ts'
import { type Time, toMillis } from './rows.ts'

type AccountRecord = {
  readonly id: string
  readonly plan: string | null
  readonly keys: number
  readonly created_at: Time
}

export function createAccountStore(pool: Pool): AccountStore {
  return {
    async planOf(account) {
      const [record] = await pool.query((sql) => {
        return sql<{ plan: string | null }[]>`select plan from accounts where id = ${account}`
      })
      return record?.plan ?? undefined
    },
    async listAccounts() {
      const records = await pool.query((sql) => {
        return sql<AccountRecord[]>`
          select a.id, a.plan, a.created_at, (select count(*)::integer from keys k where k.account = a.id) as keys
          from accounts a order by a.created_at, a.id`
      })
      return records.map(toAccount)
    },
    async setPlan(account, plan) {
      const changed = await pool.query((sql) => {
        return sql`
          with given as (
            update accounts set plan = ${plan ?? null} where id = ${account} returning id
          ), ${recordChange(sql, 'account', sql`select id from given`)}
          select id, ${notify(sql)} from given`
      })
      return changed.length > 0
    },
  }
}

function toAccount({ id, plan, keys, created_at }: AccountRecord): AccountRow {
  return { id, keys, createdAt: toMillis(created_at), ...(plan === null ? {} : { plan }) }
}
