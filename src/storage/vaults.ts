import type { SealedEntry, VaultStore } from '../ports/vault.ts'
import type { Pool } from './connection.ts'
import { listed } from './rows.ts'
import { storedSecret } from './stored-secret.ts'

/** Of the row in `secrets`. */
const NAME = 'vault'
/** Rows that one put removes: more than it adds in the long run, so that what nobody keeps stays as small as its last months. */
const PRUNED = 50

export function createVaultStore(pool: Pool): VaultStore {
  return {
    sealingKey: (candidate) => storedSecret(pool, NAME, candidate),
    /** Of two that put at one moment both may pass: a bound that is met within a few is as good. */
    async putEntries({ id, entries, passing }, limit) {
      const [row] = await pool.query((sql) => {
        return sql<{ fits: boolean }[]>`
          with given as (
            select name, sealed from json_to_recordset(${JSON.stringify(entries)}::text::json) as g(name text, sealed text)
          ), counted as (
            select count(distinct name) <= ${limit} as fits
            from (select name from vault_entries where vault = ${id} union all select name from given) all_names
          ), pruned as (
            delete from vault_entries where (vault, name) in (
              select vault, name from vault_entries where passing and updated_at < now() - interval '90 days' and vault <> ${id}
              order by updated_at limit ${PRUNED} for update skip locked
            )
          ), put as (
            insert into vault_entries (vault, name, sealed, passing)
            select ${id}, name, sealed, ${passing} from given where (select fits from counted)
            on conflict (vault, name) do update
            set sealed = excluded.sealed, passing = excluded.passing, updated_at = now()
          )
          select fits from counted`
      })
      return row?.fits === true
    },
    async listEntries(vault) {
      return pool.query((sql) => {
        return sql<SealedEntry[]>`select name, sealed from vault_entries where vault = ${vault} order by name`
      })
    },
    async deleteEntries(vault, name) {
      const gone = await pool.query((sql) => {
        return sql`
          delete from vault_entries where vault = ${vault} ${name === undefined ? sql`` : sql`and name = ${name}`}
          returning name`
      })
      return gone.length > 0
    },
    async holding(vaults) {
      const rows = await pool.query((sql) => {
        return sql<{ vault: string }[]>`select distinct vault from vault_entries where vault in ${listed(sql, vaults)}`
      })
      return rows.map(({ vault }) => vault)
    },
  }
}
