import type { ISql, Sql } from 'postgres'
import type { KeyRow, KeyStore, Successor } from '../ports/keys.ts'
import { ParleyError } from '../protocol/errors.ts'
import { Batcher } from './batcher.ts'
import { notify, recordChange } from './changes.ts'
import type { Pool } from './connection.ts'
import { listed, type Time, toMillis } from './rows.ts'

export type KeyRecord = {
  readonly id: string
  readonly account: string
  readonly kind: KeyRow['kind']
  readonly hash: string
  readonly label: string | null
  readonly apps: readonly string[]
  readonly scopes: KeyRow['scopes']
  readonly origins: readonly string[]
  readonly created_at: Time
  readonly expires_at: Time | null
  readonly revoked_at: Time | null
  readonly last_used_at: Time | null
  readonly addresses: readonly string[]
  readonly tag: number | null
  readonly successor: string | null
}

/** Milliseconds between look-ups of keys that are not in memory: who guesses at ids makes a hundred queries a second, however many they are. */
const APART_MS = 10
const LOOK_UPS = { from: 1, gatherMs: APART_MS, lastsMs: APART_MS }

const toDate = (millis: number | undefined) => (millis === undefined ? null : new Date(millis))

export const selectKeys = (sql: ISql) => sql`
  select k.*, (select coalesce(jsonb_agg(app_id order by app_id), '[]') from key_apps where key_id = k.id) as apps
  from keys k`

export function createKeyStore(pool: Pool): KeyStore {
  const finds = new Batcher<KeyRow>(async (ids) => {
    const records = await pool.query((sql) => {
      return sql<KeyRecord[]>`
        ${selectKeys(sql)}
        where k.id in ${listed(sql, ids)}`
    })
    return new Map(records.map((record) => [record.id, toKey(record)]))
  }, LOOK_UPS)
  return {
    findKey: (id) => finds.get(id),
    async createKey(row) {
      const [result] = await pool.query((sql) => insertKey(sql, row))
      if (result && result.missing > 0) throw new ParleyError('app_not_found')
    },
    async listKeys() {
      const records = await pool.query((sql) => {
        return sql<KeyRecord[]>`${selectKeys(sql)} order by k.created_at, k.id`
      })
      return records.map(toKey)
    },
    async revokeKey(id, at) {
      const revoked = await pool.query((sql) => {
        return sql`
          with revoked as (
            update keys set revoked_at = coalesce(revoked_at, ${toDate(at)}::timestamptz) where id = ${id} returning id
          ), ${recordChange(sql, 'key', sql`select id from revoked`)}
          select id, ${notify(sql)} from revoked`
      })
      return revoked.length > 0
    },
    async rotateKey(id, successor, until) {
      const rotated = await pool.query((sql) => replaceKey(sql, id, successor, until))
      return rotated.length > 0
    },
    async touchKeys(uses, at) {
      await pool.query((sql) => {
        return sql`
          update keys k set last_used_at = greatest(k.last_used_at, ${toDate(at)}::timestamptz), tag = coalesce(k.tag, u.tag)
          from json_to_recordset(${JSON.stringify(uses)}::text::json) as u(id text, tag integer) where k.id = u.id`
      })
    },
  }
}

function insertKey(sql: Sql, row: KeyRow) {
  return sql<{ missing: number }[]>`
    with wanted as (
      select distinct value as id from json_array_elements_text(${JSON.stringify(row.apps)}::text::json)
    ), missing as materialized (
      select id from wanted where id not in (select id from apps)
    ), account as (
      insert into accounts (id) select ${row.account} where not exists (select from missing) on conflict do nothing
    ), made as (
      insert into keys (id, account, kind, hash, label, scopes, origins, created_at, expires_at, revoked_at, last_used_at,
        addresses, tag)
      select ${row.id}, ${row.account}, ${row.kind}::key_kind, ${row.hash}, ${row.label ?? null},
        ${JSON.stringify(row.scopes)}::text::jsonb, ${JSON.stringify(row.origins)}::text::jsonb,
        ${toDate(row.createdAt)}::timestamptz, ${toDate(row.expiresAt)}::timestamptz,
        ${toDate(row.revokedAt)}::timestamptz, ${toDate(row.lastUsedAt)}::timestamptz,
        ${JSON.stringify(row.addresses)}::text::jsonb, ${row.tag ?? null}::integer
      where not exists (select from missing)
      returning id
    ), scoped as (
      insert into key_apps (key_id, app_id) select made.id, wanted.id from made, wanted
    ), ${recordChange(sql, 'key', sql`select id from made`)}
    select count(*)::integer as missing, ${notify(sql)} from missing`
}

/** One row when it was done: the new key's. */
function replaceKey(sql: Sql, id: string, successor: Successor, until: number) {
  const createdAt = sql`${toDate(successor.createdAt)}::timestamptz`
  return sql`
    with old as (
      update keys set expires_at = least(expires_at, ${toDate(until)}::timestamptz), successor = ${successor.id}
      where id = ${id} and successor is null and revoked_at is null
        and (expires_at is null or expires_at > ${createdAt})
      returning *
    ), made as (
      insert into keys (id, account, kind, hash, label, scopes, origins, created_at, expires_at, addresses, tag)
      select ${successor.id}, account, kind, ${successor.hash}, label, scopes, origins, ${createdAt},
        ${toDate(successor.expiresAt)}::timestamptz, addresses, ${successor.tag ?? null}::integer
      from old
      returning id
    ), scoped as (
      insert into key_apps (key_id, app_id) select made.id, app_id from made, key_apps where key_id = ${id}
    ), ${recordChange(sql, 'key', sql`select id from old union all select id from made`)}
    select id, ${notify(sql)} from made`
}

export function toKey(record: KeyRecord): KeyRow {
  return {
    id: record.id,
    account: record.account,
    kind: record.kind,
    hash: record.hash,
    ...(record.tag === null ? {} : { tag: record.tag }),
    ...(record.label === null ? {} : { label: record.label }),
    apps: record.apps,
    scopes: record.scopes,
    origins: record.origins,
    addresses: record.addresses,
    createdAt: toMillis(record.created_at),
    ...(record.expires_at === null ? {} : { expiresAt: toMillis(record.expires_at) }),
    ...(record.revoked_at === null ? {} : { revokedAt: toMillis(record.revoked_at) }),
    ...(record.last_used_at === null ? {} : { lastUsedAt: toMillis(record.last_used_at) }),
    ...(record.successor === null ? {} : { successor: record.successor }),
  }
}
