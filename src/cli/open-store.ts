import { Audit } from '../admin/audit.ts'
import { readConfig } from '../config.ts'
import type { LogFields, LogLevel, Telemetry } from '../ports/telemetry.ts'
import { StoreFault } from '../storage/faults.ts'
import { type Inspection, inspectStorage } from '../storage/inspect.ts'
import { openStorage, type StorageOptions } from '../storage/open.ts'
import { adminOf } from './admin-of.ts'
import type { CliConversations, CliDocuments, CliIo, CliStore } from './command.ts'
import { stoppable } from './stoppable.ts'
import type { CliUsage } from './usage.ts'

/** A command asks one thing after the other. */
const POOL_SIZE = 1

/** The store that a server with this environment uses; the embedded one is joined if it runs, else started for the command. */
export async function openStore(io: CliIo): Promise<CliStore & CliDocuments & CliConversations & CliUsage> {
  const { auditKeepMs, plans } = readConfig(io.env).access
  const storage = await openDescribed(io)
  const { store } = storage
  const audit = new Audit(store, auditKeepMs)
  return {
    reads: store,
    keys: store,
    apps: store,
    documents: store,
    sessions: store,
    privacy: store,
    admin: adminOf(store, store, { auditKeepMs, plans }),
    audit,
    close: () => storage.close(),
  }
}

/** Opening migrates. */
export async function openDescribed(io: CliIo) {
  return openStorage(storageOptions(io), new Grumbler(io))
}

/** Looks at the store and changes nothing, the schema included. */
export function inspectStore(io: CliIo): Promise<Inspection> {
  return stoppable((stopped) => inspectStorage(storageOptions(io), new Grumbler(io), stopped))
}

function storageOptions(io: CliIo): StorageOptions {
  const { server } = readConfig(io.env)
  const databaseUrl = server.databaseUrl?.reveal()
  return { databaseUrl, dataDir: server.dataDir, poolSize: POOL_SIZE, visitor: true, env: io.env }
}

/** What Postgres's codes mean to who runs it; others say themselves. */
const REASONS: Readonly<Record<string, string>> = {
  '25006': 'the database takes no writes: it is a standby, or read-only by a setting',
  '42501': "the database's role may not do this",
  '53100': "the database's disk is full",
  '53300': 'the database has no connection left',
}

function why(fault: StoreFault): string {
  return REASONS[fault.code ?? ''] ?? fault.message
}

/** Of what the store has to say, a person at the terminal is told what goes wrong. */
class Grumbler implements Telemetry {
  readonly #io: CliIo

  constructor(io: CliIo) {
    this.#io = io
  }

  log(level: LogLevel, event: string, _fields?: LogFields, cause?: unknown): void {
    if (level === 'warn' || level === 'error')
      this.#io.err(cause instanceof StoreFault ? `${event}: ${why(cause)}` : event)
  }

  count(): void {}
  observe(): void {}
  gauge(): void {}
}
