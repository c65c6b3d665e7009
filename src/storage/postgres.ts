import type { AccountStore } from '../ports/accounts.ts'
import type { AdminStore } from '../ports/admin-store.ts'
import type { DocumentStore } from '../ports/documents.ts'
import type { KeyStore } from '../ports/keys.ts'
import type { PrivacyStore } from '../ports/privacy.ts'
import type { AppStore, ChangeFeed, SessionStore } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import type { TicketStore } from '../ports/tickets.ts'
import type { UsageStore } from '../ports/usage.ts'
import type { VaultStore } from '../ports/vault.ts'
import { createAccountStore } from './accounts.ts'
import { createAdminStore } from './administration.ts'
import { createAppStore } from './apps.ts'
import { Changes } from './changes.ts'
import { type Connection, PATIENCE, type Patience, Pool } from './connection.ts'
import { createDocumentStore } from './documents.ts'
import { toFault, toStoreError } from './faults.ts'
import { GroupCommit, type GroupCommitLimits } from './group-commit.ts'
import { Health } from './health.ts'
import { createKeyStore } from './keys.ts'
import { Line } from './line.ts'
import { makeLockName, takeLock } from './node-lock.ts'
import { NodeWatch } from './node-watch.ts'
import { createPrivacyStore } from './privacy.ts'
import { createSessionStore } from './sessions.ts'
import { createTicketStore } from './tickets.ts'
import { createUsageStore } from './usage.ts'
import { createVaultStore } from './vaults.ts'
import { writeNothing, writeStatement } from './write-statement.ts'

export type PostgresOptions = {
  readonly connection: Connection
  readonly telemetry: Telemetry
  /** Connections for reads; two more are for the writes and for the node's lock. */
  readonly poolSize?: number
  readonly limits?: GroupCommitLimits
  readonly patience?: Patience
  /** Opens no sessions, as a command of the CLI: other processes do not count it. */
  readonly visitor?: boolean
  /** Others may have used the server before: where that was started a moment ago, they get the time to come back to it. */
  readonly shared?: boolean
}

export type PostgresStorage = SessionStore &
  KeyStore &
  AccountStore &
  AppStore &
  TicketStore &
  UsageStore &
  VaultStore &
  DocumentStore &
  AdminStore &
  PrivacyStore &
  ChangeFeed & {
    /** Saves what is queued, within a bound, and leaves. Idempotent. */
    close(): Promise<void>
  }

/** Reads are short and batched: few connections serve thousands of sessions, and Postgres likes few. */
const DEFAULT_POOL_SIZE = 4
/** Milliseconds for queued writes at the end: longer than one unanswered statement, so that one retry fits. */
const CLOSE_MS = 6000

/** Opens a migrated database. Rejects with `store_unavailable` when it does not answer. */
export async function openPostgres(options: PostgresOptions): Promise<PostgresStorage> {
  const { connection, telemetry, poolSize = DEFAULT_POOL_SIZE, limits, patience = PATIENCE } = options
  const { visitor = false, shared = false } = options
  const node = makeLockName()
  const health = new Health(telemetry)
  const pool = new Pool({ connection, max: poolSize, patience, health: health.reads })
  const watch = new NodeWatch()
  const changes = new Changes({ connection, patience, node, health: health.reads, watch, visitor, shared })
  // A flush that got no answer may still be carried out by the server, after newer ones. Whoever writes holds this lock, and
  // taking it ends the connection before: nothing old comes late.
  const writerLock = makeLockName()
  const writer = new Line({ connection, patience, prepare: (sql) => takeLock(sql, writerLock) })
  const commits = new GroupCommit({
    node,
    telemetry,
    health: health.writes,
    ...(limits ? { limits } : {}),
    probe: async () => void (await writer.query(writeNothing)),
    apply: async (writes) => {
      const teller = changes.others > 0 ? node : undefined
      return (await writer.query((sql) => writeStatement(sql, writes, teller))).map(({ id }) => id)
    },
  })
  const close = async () => {
    await commits.close(CLOSE_MS)
    await Promise.all([writer.close(), changes.close(), pool.close()])
  }
  try {
    await changes.open()
  } catch (error) {
    await close()
    throw toStoreError(toFault(error))
  }
  let closing: Promise<void> | undefined
  return {
    ...createSessionStore({ node, pool, commits, patience, watch }),
    get others() {
      return changes.others
    },
    ...createKeyStore(pool),
    ...createAccountStore(pool),
    ...createAppStore(pool),
    ...createTicketStore(pool),
    ...createUsageStore(pool),
    ...createVaultStore(pool),
    ...createDocumentStore(pool),
    ...createAdminStore(pool),
    ...createPrivacyStore({ connection, pool, patience }),
    subscribe: (listener) => changes.subscribe(listener),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}
