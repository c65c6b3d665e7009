import { TRANSPORTS, type TransportName } from '../support/transports.ts'
import { type FaultOptions, type Findings } from './fault.ts'
import { Databases, type OwnDatabase } from './own-database.ts'
import { WatchedServer } from './watched-server.ts'

/** What one transport's part found: figures and what did not hold, by what the part is called. */
export class Notes {
  readonly #checked: Record<string, number | string>
  readonly #violations: string[]
  readonly #name: string

  constructor(name: string, checked: Record<string, number | string> = {}, violations: string[] = []) {
    this.#name = name
    this.#checked = checked
    this.#violations = violations
  }

  /** Of a part of this part. */
  of(part: string): Notes {
    return new Notes(`${this.#name}, ${part}`, this.#checked, this.#violations)
  }

  add(what: string, figure: number | string): void {
    this.#checked[`${this.#name}: ${what}`] = figure
  }

  broken(what: string): void {
    this.#violations.push(`${this.#name}: ${what}`)
  }

  get findings(): Findings {
    return { checked: this.#checked, violations: this.#violations }
  }
}

/** One transport's part of a fault. */
export type Stage = {
  readonly transport: TransportName
  readonly server: WatchedServer
  readonly notes: Notes
  /** Looks into what the server stores in. */
  readonly openDatabase: () => Promise<OwnDatabase>
}

/**
 * Plays a fault against a server on each transport, unless only one is asked for: at once in the short form, where only what is right or wrong counts; one
 * after the other in the full one, whose figures are not to take each other's time.
 */
export async function onBothTransports(
  { size, databaseUrl, transport: only }: FaultOptions,
  settings: Readonly<Record<string, string>>,
  play: (stage: Stage) => Promise<void>,
): Promise<Findings> {
  const databases = new Databases(databaseUrl)
  const all: Notes[] = []
  const playOn = async (transport: TransportName): Promise<void> => {
    const notes = new Notes(transport)
    all.push(notes)
    const own = await databases.env()
    const server = await WatchedServer.start({ ...settings, PARLEY_TRANSPORT: transport, ...own })
    const openDatabase = () => databases.open(server.process, own)
    try {
      await play({ transport, server, notes, openDatabase })
    } finally {
      await server.dispose()
    }
  }
  try {
    const transports = only === undefined ? TRANSPORTS : [only]
    if (size === 'short') await allSettled(transports.map(playOn))
    else for (const transport of transports) await playOn(transport)
  } finally {
    await databases.drop()
  }
  const findings = all.map((notes) => notes.findings)
  return {
    checked: Object.assign({}, ...findings.map(({ checked }) => checked)),
    violations: findings.flatMap(({ violations }) => violations),
  }
}

/** As `Promise.all`, but a failure waits for the others: their servers are to end before the fault does. */
export async function allSettled(parts: readonly Promise<void>[]): Promise<void> {
  for (const part of await Promise.allSettled(parts)) if (part.status === 'rejected') throw part.reason
}
