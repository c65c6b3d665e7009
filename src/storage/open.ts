import type { Telemetry } from '../ports/telemetry.ts'
import type { Connection } from './connection.ts'
import { startEmbedded } from './embedded.ts'
import type { Environment } from './embedded-env.ts'
import { migrate } from './migrate.ts'
import { openPostgres, type PostgresStorage } from './postgres.ts'

export type StorageOptions = {
  /** A Postgres server; without it the embedded one runs on `dataDir`. */
  readonly databaseUrl?: string
  readonly dataDir: string
  /** Connections for reads. */
  readonly poolSize?: number
  /** Opens no sessions, as a command of the CLI: other processes do not count it. */
  readonly visitor?: boolean
  /** This process's environment: the embedded server gets what concerns it (embedded-env.ts), and no secret. */
  readonly env?: Environment
}

export type OpenedStorage = {
  readonly store: PostgresStorage
  /** Which store, and where the data lies: a line for people. */
  readonly description: string
  /** Saves what is queued, then stops the embedded server. Idempotent. */
  close(): Promise<void>
}

/** The store that the configuration names, migrated and open. Rejects with a message for people. */
export async function openStorage(options: StorageOptions, telemetry: Telemetry): Promise<OpenedStorage> {
  const place = await choosePlace(options, telemetry)
  try {
    await migrate(place.connection, undefined, (...entry) => telemetry.log(...entry))
    const { connection } = place
    const { poolSize, visitor } = options
    const store = await openPostgres({ connection, telemetry, poolSize, visitor, shared: place.shared })
    return {
      store,
      description: place.description + shared(store.others),
      async close() {
        await store.close()
        await place.stop()
      },
    }
  } catch (error) {
    await place.stop()
    throw error
  }
}

/** A server that answers, whether others may have used it before, and how to let go of it. */
type Place = {
  readonly connection: Connection
  readonly description: string
  readonly shared: boolean
  readonly stop: () => Promise<void>
}

function shared(others: number): string {
  if (others === 0) return ''
  const processes = others === 1 ? '1 other process' : `${others} other processes`
  return `, shared with ${processes}`
}

/** The server that the configuration names; its schema may be of any version. */
export async function choosePlace(
  { databaseUrl, dataDir, env = {} }: StorageOptions,
  telemetry: Telemetry,
): Promise<Place> {
  if (databaseUrl !== undefined) {
    return {
      connection: { url: databaseUrl },
      description: `Postgres at ${whereabouts(databaseUrl)}`,
      shared: true,
      stop: async () => {},
    }
  }
  const server = await startEmbedded({ dataDir, env, log: (...entry) => telemetry.log(...entry) })
  const adopted = server.adopted ? ', already running' : ''
  return {
    connection: server.connection,
    description: `embedded Postgres, data in ${dataDir}${adopted}`,
    // After a crash of the only process, which leaves the server on, nobody waits.
    shared: false,
    stop: () => server.stop(),
  }
}

/** Host and database, without the user and the password. */
function whereabouts(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return 'DATABASE_URL'
  const { host, pathname } = new URL(databaseUrl)
  return host + pathname
}
