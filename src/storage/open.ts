import type { Telemetry } from '../ports/telemetry.ts'
import type { Connection } from './connection.ts'
import { startEmbedded } from './embedded.ts'
import { migrate } from './migrate.ts'
import { openPostgres, type PostgresStorage } from './postgres.ts'

export type StorageOptions = {
  /** A Postgres server; without it the embedded one runs on `dataDir`. */
  readonly databaseUrl?: string
  readonly dataDir: string
  /** Connections for reads. */
  readonly poolSize?: number
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
    await migrate(place.connection)
    const { poolSize } = options
    const store = await openPostgres({ connection: place.connection, telemetry, ...(poolSize ? { poolSize } : {}) })
    const close = async () => {
      await store.close()
      await place.stop()
    }
    let closing: Promise<void> | undefined
    return {
      store,
      description: place.description,
      close: () => {
        closing ??= close()
        return closing
      },
    }
  } catch (error) {
    await place.stop()
    throw error
  }
}

type Place = { readonly connection: Connection; readonly description: string; readonly stop: () => Promise<void> }

async function choosePlace({ databaseUrl, dataDir }: StorageOptions, telemetry: Telemetry): Promise<Place> {
  if (databaseUrl !== undefined) {
    return {
      connection: { url: databaseUrl },
      description: `Postgres at ${whereabouts(databaseUrl)}`,
      stop: async () => {},
    }
  }
  const server = await startEmbedded({ dataDir, log: (...entry) => telemetry.log(...entry) })
  const adopted = server.adopted ? ', already running' : ''
  return {
    connection: server.connection,
    description: `embedded Postgres, data in ${dataDir}${adopted}`,
    stop: () => server.stop(),
  }
}

/** Host and database, without the user and the password. */
function whereabouts(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return 'DATABASE_URL'
  const { host, pathname } = new URL(databaseUrl)
  return host + pathname
}
