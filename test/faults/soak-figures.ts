import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from 'postgres'
import type { MessagesApi } from '../support/messages-api.ts'
import type { ParleyProcess } from '../support/parley-process.ts'

/** How the probe's line begins. */
export const PROBE_LINE = 'probe '

/** What the server's process holds. Sizes in bytes, after a collection. */
export type ProbeFigures = {
  readonly heap: number
  readonly rss: number
  readonly external: number
  /** Open file descriptors. */
  readonly files: number
  /** Active handles and requests by kind; timers are of kind Timeout. */
  readonly resources: Readonly<Record<string, number>>
}

export type Figures = ProbeFigures & {
  /** Of /metrics. */
  readonly gauges: Readonly<Record<string, number>>
  readonly upstream: number
  /** Idle connections upstream that are kept for the next request. */
  readonly pooled: number
  readonly backends: number
}

const GAUGES = [
  'connections',
  'sessions_in_memory',
  'history_bytes',
  'log_entries',
  'log_bytes',
  'active_runs',
  'store_queue',
]
/** Milliseconds for a probe of a busy machine. */
const ANSWER_MS = 10_000
/** Milliseconds between looks. */
const LOOK_MS = 50
/** Milliseconds after the idle time within which everything has to be gone. */
const SETTLE_MS = 20_000
/** Milliseconds for connections upstream to go; what is left after it is counted. */
const POOLED_MS = 4000

/** What is there at each of some looks: a timer that was about to run is gone at the next, what leaks is there at all. */
const PROBES = 5
const PROBE_MS = 150

function least(a: ProbeFigures, b: ProbeFigures): ProbeFigures {
  const kinds = Object.keys(a.resources).filter((kind) => b.resources[kind] !== undefined)
  const resources = kinds.map((kind) => [kind, Math.min(a.resources[kind] ?? 0, b.resources[kind] ?? 0)])
  return {
    heap: Math.min(a.heap, b.heap),
    rss: Math.min(a.rss, b.rss),
    external: Math.min(a.external, b.external),
    files: Math.min(a.files, b.files),
    resources: Object.fromEntries(resources),
  }
}

/** Reads a server's figures from the inside and the outside. */
export class Meter {
  readonly #server: ParleyProcess
  readonly #api: MessagesApi
  readonly #sql: Sql

  constructor(server: ParleyProcess, api: MessagesApi, sql: Sql) {
    this.#server = server
    this.#api = api
    this.#sql = sql
  }

  /** Waits until what is idle has left memory; at the latest SETTLE_MS, whatever is left then. Connections upstream may stay. */
  async emptied(): Promise<void> {
    const late = Date.now() + SETTLE_MS
    while (!(await this.#isEmpty()) && Date.now() < late) await sleep(LOOK_MS)
  }

  /** Waits for connections upstream, too, at most POOLED_MS, and reads. */
  async settled(): Promise<Figures> {
    await this.emptied()
    const late = Date.now() + POOLED_MS
    while (this.#api.connections > 0 && Date.now() < late) await sleep(LOOK_MS)
    return this.#read()
  }

  async #isEmpty(): Promise<boolean> {
    return this.#api.open === 0 && Object.values(await this.#gauges()).every((value) => value === 0)
  }

  async #read(): Promise<Figures> {
    const probes: ProbeFigures[] = []
    for (let look = 0; look < PROBES; look++) {
      if (look > 0) await sleep(PROBE_MS)
      probes.push(await this.#probe())
    }
    const probe = probes.reduce(least)
    const sql = this.#sql
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`
    return {
      ...probe,
      gauges: await this.#gauges(),
      upstream: this.#api.open,
      pooled: this.#api.connections,
      backends: row?.count ?? 0,
    }
  }

  async #probe(): Promise<ProbeFigures> {
    const { said } = this.#server
    const before = said.length
    process.kill(this.#server.pid, 'SIGUSR2')
    const deadline = Date.now() + ANSWER_MS
    for (;;) {
      const line = said.slice(before).find((one) => one.startsWith(PROBE_LINE))
      if (line !== undefined) return JSON.parse(line.slice(PROBE_LINE.length))
      if (Date.now() > deadline) throw new Error('the probe does not answer')
      await sleep(LOOK_MS)
    }
  }

  async #gauges(): Promise<Record<string, number>> {
    const text = await read(`${this.#server.url}/metrics`)
    return Object.fromEntries(
      GAUGES.map((name) => {
        const [, value] = new RegExp(`^parley_${name} (\\S+)$`, 'm').exec(text) ?? []
        return [name, Number(value)]
      }),
    )
  }
}

/** On a connection of its own that is gone afterwards: one that is kept would be counted. */
function read(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += String(chunk)
      })
      response.on('end', () => resolve(text))
      response.on('error', reject)
    }).on('error', reject)
  })
}
