import type { Sql } from 'postgres'
import { type Connection, connectOnce, discard, reach } from './connection.ts'
import { SESSION_PROBE } from './node-lock.ts'

/** A pooler that gives its connections in turn may come round to the same one, once. */
const ROUNDS = 2

/**
 * Rejects with a message for people where what a connection has of the server goes to another connection between two statements:
 * behind a pooler in transaction mode. A lock would then be held for nobody, and outlive its process.
 */
export async function requireOwnSession(connection: Connection, sql: Sql): Promise<void> {
  const other = connectOnce(connection)
  try {
    await reach(other)
    // Poolers that leave a session alone once it has a lock may do so. Shared: what it may leave behind is in nobody's way.
    const { space, key } = SESSION_PROBE
    await sql`select pg_advisory_lock_shared(${space}::integer, ${key}::integer)`
    const own = await backendOf(sql)
    for (let round = 0; round < ROUNDS; round++) {
      await other`begin`.simple()
      // In this order: the other transaction may have the only one that there is.
      if ((await backendOf(other)) === own || (await backendOf(sql)) !== own) throw notOwn()
      await other`commit`.simple()
    }
  } finally {
    await discard(other)
  }
}

/** Simple, as all here: a prepared statement may be looked for on another connection than the one that has it. */
async function backendOf(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`.simple()
  return row?.pid
}

function notOwn(): Error {
  return new Error(
    'DATABASE_URL leads to a pooler in transaction mode, where no process can prove that it lives: connect to Postgres directly, or to a pooler in session mode',
  )
}
