import type { Store } from '../contenders/contender.ts'

/** The account of keys that `parley keys create` makes when nobody names one. */
const ACCOUNT = 'default'
/** Sessions per statement: some 10 MB of rows. */
const BATCH = 200
const MD5_CHARS = 32

export type Seed = {
  readonly app: string
  readonly sessionIds: readonly string[]
  /** Half of them the user's, half the assistant's. */
  readonly messages: number
  readonly messageBytes: number
}

/** Writes finished conversations straight into the tables: the server's own way would take minutes for thousands. */
export async function seedSessions(store: Store, { app, sessionIds, messages, messageBytes }: Seed): Promise<void> {
  const sql = store.connect()
  const runs = messages / 2
  try {
    for (let at = 0; at < sessionIds.length; at += BATCH) {
      const ids = sessionIds.slice(at, at + BATCH)
      await sql`
        insert into sessions (id, app, account, status, created_at, updated_at)
        select id, ${app}, ${ACCOUNT}, 'idle', now(), now() from unnest(${ids}::uuid[]) as id`
      await sql`
        insert into runs (session_id, id, status, position, queued_at, started_at, ended_at, node, fence)
        select id, 'run-' || n, 'finished', n, now(), now(), now(), 'bench', 1
        from unnest(${ids}::uuid[]) as id, generate_series(1, ${runs}::int) as n`
      await sql`
        insert into messages (session_id, id, run_id, index, role, content, created_at)
        select id, role || '-' || n, 'run-' || n, index, role::message_role,
          repeat(md5(id::text || role || n), ${messageBytes / MD5_CHARS}::int), now()
        from unnest(${ids}::uuid[]) as id, generate_series(1, ${runs}::int) as n,
          (values ('user', 0), ('assistant', 1)) as part (role, index)`
    }
    await sql`analyze`
  } finally {
    await sql.end()
  }
}
