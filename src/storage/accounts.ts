import type { AccountStore } from '../ports/accounts.ts'
import { notify, recordChange } from './changes.ts'
import type { Pool } from './connection.ts'

export function createAccountStore(pool: Pool): AccountStore {
  return {
    async planOf(account) {
      const [record] = await pool.query((sql) => {
        return sql<{ plan: string | null }[]>`select plan from accounts where id = ${account}`
      })
      return record?.plan ?? undefined
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
