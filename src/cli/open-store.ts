import { readConfig } from '../config.ts'
import type { LogLevel, Telemetry } from '../ports/telemetry.ts'
import { openStorage } from '../storage/open.ts'
import type { CliIo, CliStore } from './command.ts'

/** A command asks one thing after the other. */
const POOL_SIZE = 1

/** The store that a server with this environment uses; the embedded one is joined if it runs, else started for the command. */
export async function openStore(io: CliIo): Promise<CliStore> {
  const storage = await openDescribed(io)
  return { keys: storage.store, apps: storage.store, close: () => storage.close() }
}

/** Opening migrates. */
export async function openDescribed(io: CliIo) {
  const { server } = readConfig(io.env)
  const databaseUrl = server.databaseUrl === undefined ? {} : { databaseUrl: server.databaseUrl.reveal() }
  const options = { dataDir: server.dataDir, poolSize: POOL_SIZE, visitor: true, env: io.env }
  return openStorage({ ...databaseUrl, ...options }, new Grumbler(io))
}

/** Of what the store has to say, a person at the terminal is told what goes wrong. */
class Grumbler implements Telemetry {
  readonly #io: CliIo

  constructor(io: CliIo) {
    this.#io = io
  }

  log(level: LogLevel, event: string): void {
    if (level === 'warn' || level === 'error') this.#io.err(event)
  }

  count(): void {}
  observe(): void {}
  gauge(): void {}
}
