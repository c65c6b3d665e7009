import type { ChildProcess } from 'node:child_process'
import type { Sql } from 'postgres'
import type { Target } from '../load/line.ts'
import { rssKib } from '../rig/processes.ts'

/** A server under measurement, started. */
export type Contender = {
  readonly name: string
  /** Undefined where somebody else started it: then nothing is known of what it takes. */
  readonly process: ChildProcess | undefined
  readonly target: Target
  /** The database's postmaster where the server launched one: its CPU stands beside the server's. */
  readonly databasePid: number | undefined
  /** Undefined where nothing is stored. */
  readonly store: Store | undefined
  /** The same server started anew on what it has stored. */
  restart(): Promise<Contender>
  stop(): Promise<void>
}

export type Store = { readonly dataDir: string; connect(): Sql }

/** What a server is started on. */
export type Place = {
  readonly upstreamUrl: string
  /** Where the bench's own joined files are. */
  readonly outDir: string
  /** More of the server's configuration. */
  readonly env?: Readonly<Record<string, string>>
  /** Built-in tools that the App has; else none. */
  readonly tools?: readonly string[]
  /** More arguments of its Node. */
  readonly nodeArgs?: readonly string[]
}

export type Start = (place: Place) => Promise<Contender>

export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the process did not start')
  return child.pid
}

/** Of the server's process; NaN where it is not ours. */
export function serverRssKib({ process }: Contender): number {
  return process === undefined ? Number.NaN : rssKib(pidOf(process))
}

const ATTEMPTS = 300
const ATTEMPT_MS = 100

/** Polls until the server answers HTTP with one of the statuses. */
export async function untilAnswers(
  url: string,
  child: ChildProcess,
  accepts: (status: number) => boolean,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode} before it listened`)
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    )
    if (status > 0 && accepts(status)) return
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS))
  }
  throw new Error(`nothing answers at ${url}`)
}
