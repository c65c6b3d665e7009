import type { Stage } from './both-transports.ts'
import type { Size } from './fault.ts'
import type { Healthy } from './slow-healthy.ts'

const SAMPLE_MS = 200
const BYTES_PER_MIB = 1024 * 1024
/** MiB that may wait for one slow client: PARLEY_OUTBOX_SIZE. It is a quarter of it unless the machine stands still for a while. */
const WAITING_MIB = 1
/**
 * MiB that the server may grow by beside what waits. When garbage is collected is chance, and some 30 MiB of text a second make
 * it; what is out of bounds shows in what waits, which is counted.
 */
const SLACK_MIB = 256
/** How much worse the healthy may have it, and what is noise of a shared machine whatever the factor: milliseconds. */
const FACTOR = 2
const FLOOR_MS = {
  // All pieces as fast as the machine sends them.
  short: { p50: 60, stall: 400 },
  full: { p50: 1, stall: 200 },
} as const satisfies Record<Size, { readonly p50: number; readonly stall: number }>

/** What one phase looked like from the outside: MiB and milliseconds, at most. */
export type Figures = {
  readonly p50: number
  /** Tokens that the healthy were told. */
  readonly tokens: number
  readonly stall: number
  readonly rssMib: number
  readonly waitingMib: number
}

/** Looks at a server and its healthy clients, phase by phase. */
export class Watch {
  readonly #stage: Stage
  readonly #healthy: Healthy
  readonly #sampler: NodeJS.Timeout
  #waiting = 0

  constructor(stage: Stage, healthy: Healthy) {
    this.#stage = stage
    this.#healthy = healthy
    // A server that has gone says nothing: the fault's end looks whether it is well.
    this.#sampler = setInterval(() => void this.#sample().catch(() => undefined), SAMPLE_MS)
  }

  /** What was seen since this was last called. */
  async take(): Promise<Figures> {
    const { server } = this.#stage
    const { p50, tokens } = this.#healthy.takeWaits()
    await this.#sample()
    const waitingMib = this.#waiting / BYTES_PER_MIB
    this.#waiting = 0
    return { p50, tokens, stall: await server.takeStallMs(), rssMib: server.takePeakMib(), waitingMib }
  }

  stop(): void {
    clearInterval(this.#sampler)
  }

  async #sample(): Promise<void> {
    this.#waiting = Math.max(this.#waiting, await this.#stage.server.metric('outbox_bytes'))
  }
}

/** Holds a phase with slow clients against one without. */
export function compare({ notes }: Stage, size: Size, before: Figures, during: Figures, slow: number): void {
  const may = slow * WAITING_MIB
  notes.add(`MiB that wait for ${slow} slow clients, at most`, `${during.waitingMib.toFixed(1)} (bound ${may})`)
  if (during.waitingMib === 0) notes.broken('nothing waited: the slow clients were not slow')
  if (!(during.waitingMib < may)) notes.broken(`${during.waitingMib.toFixed(1)} MiB waited for ${slow} slow clients`)
  if (before.tokens === 0 || during.tokens === 0) notes.broken('the healthy clients were told nothing')
  const grown = during.rssMib - before.rssMib
  notes.add(
    'MiB of memory at most, without / with slow clients',
    `${before.rssMib.toFixed(0)} / ${during.rssMib.toFixed(0)} (may grow by ${may + SLACK_MIB})`,
  )
  if (!(grown < may + SLACK_MIB)) notes.broken(`${slow} slow clients made the server grow by ${grown.toFixed(0)} MiB`)
  for (const what of ['p50', 'stall'] as const) {
    const [was, is, most] = [before[what], during[what], Math.max(FACTOR * before[what], FLOOR_MS[size][what])]
    const name = what === 'p50' ? "a token's way to healthy clients, p50" : "the server's longest stall"
    notes.add(`${name}, ms, without / with`, `${was.toFixed(1)} / ${is.toFixed(1)} (at most ${most.toFixed(0)})`)
    if (!(is <= most)) notes.broken(`${name}: ${is.toFixed(1)} ms, without slow clients ${was.toFixed(1)} ms`)
  }
}
