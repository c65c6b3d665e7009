import { DEFAULT_ACCOUNT } from '../ports/accounts.ts'
import type { AppRow, AppStore } from '../ports/store.ts'
import { notify, recordChange } from './changes.ts'
import type { Pool } from './connection.ts'
import { type Time, toMillis } from './rows.ts'

export type AppRecord = {
  readonly id: string
  readonly definition: unknown
  readonly updated_at: Time
  readonly account: string
}

export function createAppStore(pool: Pool): AppStore {
  return {
    async getApp(id) {
      const [record] = await pool.query((sql) => {
        return sql<(AppRecord & { has_documents: boolean })[]>`
          select a.*, exists (select from documents where app_id = a.id) as has_documents from apps a where id = ${id}`
      })
      return record && { ...toApp(record), ...(record.has_documents ? { hasDocuments: true } : {}) }
    },
    async listApps() {
      const records = await pool.query((sql) => sql<AppRecord[]>`select * from apps order by id`)
      return records.map(toApp)
    },
    async putApp({ id, definition, updatedAt, account }) {
      await pool.query((sql) => {
        return sql`
          with owner as (
            insert into accounts (id) values (${account ?? DEFAULT_ACCOUNT}) on conflict do nothing
          ), stored as (
            insert into apps (id, definition, updated_at, account)
            values (${id}, ${JSON.stringify(definition)}::text::jsonb, ${new Date(updatedAt)}::timestamptz,
              ${account ?? DEFAULT_ACCOUNT})
            on conflict (id) do update set definition = excluded.definition, updated_at = excluded.updated_at,
              account = ${account === undefined ? sql`apps.account` : sql`excluded.account`}
            returning id
          ), ${recordChange(sql, 'app', sql`select id from stored`)}
          select id, ${notify(sql)} from stored`
      })
    },
    async deleteApp(id) {
      const deleted = await pool.query((sql) => {
        return sql`
          with losing as (
            insert into changes (kind, ref) select 'key', key_id from key_apps where app_id = ${id}
          ), revoked as (
            update keys set revoked_at = now()
            where revoked_at is null and not scopes @> '["admin"]'
              and exists (select from key_apps where key_id = keys.id and app_id = ${id})
              and not exists (select from key_apps where key_id = keys.id and app_id <> ${id})
          ), gone as (
            delete from apps where id = ${id} returning id
          ), ${recordChange(sql, 'app', sql`select id from gone`)}
          select id, ${notify(sql)} from gone`
      })
      return deleted.length > 0
    },
  }
}

export function toApp({ id, definition, updated_at, account }: AppRecord): Required<AppRow> {
  return { id, definition, updatedAt: toMillis(updated_at), account }
}
