import type { Fragment, ISql, Sql } from 'postgres'
import type { AccountRow, AdminStore, OwnPut, PageQuery, PutOutcome, Reach } from '../ports/admin-store.ts'
import { createAuditStore } from './acts.ts'
import { type AppRecord, toApp } from './apps.ts'
import { notify, recordChange } from './changes.ts'
import { PATIENCE, type Pool } from './connection.ts'
import { type KeyRecord, selectKeys, toKey } from './keys.ts'
import { listed, type Time, toMillis, toSession } from './rows.ts'
import { selectPage } from './session-queries.ts'
import { countUsage } from './usage.ts'

type AccountRecord = {
  readonly id: string
  readonly plan: string | null
  readonly created_at: Time
  readonly apps: number
  readonly keys: number
}

export function createAdminStore(pool: Pool): AdminStore {
  return {
    ...createAuditStore(pool),
    listAccounts: (query) => accounts(pool, query),
    findAccount: async (id) => (await accounts(pool, { limit: 1 }, id))[0],
    async pageApps({ account, apps, after = '', limit }) {
      const records = await pool.query((sql) => {
        const own = account === undefined ? sql`` : sql`and account = ${account}`
        const named = apps === undefined ? sql`` : sql`and id in ${listed(sql, apps)}`
        return sql<AppRecord[]>`select * from apps where id > ${after} ${own} ${named} order by id limit ${limit}`
      })
      return records.map(toApp)
    },
    putOwnApp: (put) => pool.transaction(PATIENCE.answerMs, (sql) => putOwnApp(sql, put)),
    async pageKeys(query) {
      const records = await pool.query((sql) => {
        return sql<KeyRecord[]>`
          ${selectKeys(sql)} where k.id > ${query.after ?? ''} ${within(sql, query)} order by k.id limit ${query.limit}`
      })
      return records.map(toKey)
    },
    async countKeys(account, now) {
      const [row] = await pool.query((sql) => {
        return sql<{ keys: number }[]>`
          select count(*)::integer as keys from keys
          where account = ${account} and revoked_at is null
            and (expires_at is null or expires_at > ${new Date(now)}::timestamptz)`
      })
      return row?.keys ?? 0
    },
    pageSessions: async (query) => (await pool.query((sql) => selectPage(sql, query))).map(toSession),
    usage: (query) => countUsage(pool, query),
  }
}

/** `one`: the account of this id only. */
async function accounts(pool: Pool, { after = '', limit }: PageQuery, one?: string): Promise<AccountRow[]> {
  const records = await pool.query((sql) => {
    return sql<AccountRecord[]>`
      select a.id, a.plan, a.created_at,
        (select count(*)::integer from apps where account = a.id) as apps,
        (select count(*)::integer from keys where account = a.id and revoked_at is null) as keys
      from accounts a where ${one === undefined ? sql`a.id > ${after}` : sql`a.id = ${one}`} order by a.id limit ${limit}`
  })
  return records.map(({ id, plan, created_at, apps, keys }) => {
    return { id, createdAt: toMillis(created_at), apps, keys, ...(plan === null ? {} : { plan }) }
  })
}

function within(sql: ISql, { account, apps }: Reach): Fragment {
  const own = account === undefined ? sql`` : sql`and k.account = ${account} and not k.scopes @> '["operator"]'`
  const named =
    apps === undefined
      ? sql``
      : sql`and not exists (select from key_apps x where x.key_id = k.id and x.app_id not in ${listed(sql, apps)})`
  return sql`${own} ${named}`
}

/** Puts of one account come after one another: each counts, in a statement of its own, what the one before it left. */
async function putOwnApp(sql: Sql, { row, keyId, maxApps }: OwnPut): Promise<PutOutcome> {
  const { id, definition, updatedAt, account } = row
  await sql`select from accounts where id = ${account} for no key update`
  const [result] = await sql<{ there: boolean; room: boolean; stored: number }[]>`
    with known as materialized (
      select exists (select from apps where id = ${id}) as there,
        (select count(*) from (select from apps where account = ${account} limit ${maxApps}) own) < ${maxApps} as room
    ), stored as (
      insert into apps (id, definition, updated_at, account)
      select ${id}, ${JSON.stringify(definition)}::text::jsonb, ${new Date(updatedAt)}::timestamptz, ${account}
      from known where there or room
      on conflict (id) do update set definition = excluded.definition, updated_at = excluded.updated_at
        where apps.account = excluded.account
          and exists (select from key_apps where key_id = ${keyId} and app_id = apps.id)
      returning id
    ), opened as (
      insert into key_apps (key_id, app_id) select ${keyId}, stored.id from stored, known where not there
      on conflict do nothing
    ), gaining as (
      insert into changes (kind, ref) select 'key', ${keyId} from stored, known where not there
    ), ${recordChange(sql, 'app', sql`select id from stored`)}
    select there, room, (select count(*)::integer from stored) as stored, ${notify(sql)} from known`
  if (result === undefined || result.stored > 0) return 'stored'
  // There was room and it is not stored: another account put it in the same moment.
  return result.there || result.room ? 'taken' : 'full'
}
