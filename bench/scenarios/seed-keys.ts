import { keyTag, mintKey } from '../../src/access/keys.ts'
import type { Store } from '../contenders/contender.ts'

/** The account of keys that `parley keys create` makes when nobody names one. */
const ACCOUNT = 'default'
const ID_DIGITS = 8

/**
 * Secret keys of an App, written straight into the tables. All have one secret and one hash, and the tag that
 * each would be minted with: a key's check costs what it costs, and hashing thousands of secrets would take minutes before anything is measured.
 */
export async function seedKeys(store: Store, app: string, prefix: string, count: number): Promise<readonly string[]> {
  const { hash, secret } = await mintKey('secret')
  const ids = Array.from({ length: count }, (_, nth) => `${prefix}${String(nth).padStart(ID_DIGITS, '0')}`)
  const tags = ids.map((id) => keyTag(id, secret))
  const sql = store.connect()
  try {
    await sql`
      insert into keys (id, account, kind, hash, tag, scopes, origins, created_at)
      select id, ${ACCOUNT}, 'secret', ${hash}, tag, '["read", "write", "delete"]', '[]', now()
      from unnest(${ids}::text[], ${tags}::integer[]) as key (id, tag)`
    await sql`insert into key_apps (key_id, app_id) select id, ${app} from unnest(${ids}::text[]) as id`
    await sql`analyze keys`
  } finally {
    await sql.end()
  }
  return ids.map((id) => `sk_live_${id}_${secret}`)
}
