import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import { pidOf } from '../contenders/contender.ts'
import type { Counted } from '../load/crowd.ts'
import { Latencies } from '../load/latencies.ts'
import type { Load } from './loads.ts'
import type { Point, Watched } from './point.ts'
import { cpuSeconds, rssKib } from './processes.ts'
import type { Progress } from './progress.ts'

const PERIOD_MS = 1000
const KIB_PER_MIB = 1024
/** A point shorter than this says nothing about a rate: it is joined to the next. */
const SHORTEST_SECONDS = 0.25

type Clock = { readonly at: number; readonly server: number; readonly loads: readonly number[] }

function nothing(): { tokens: number; opened: number; errors: number; latencies: Latencies } {
  return { tokens: 0, opened: 0, errors: 0, latencies: new Latencies() }
}

/** Asks once a second what the load has seen and what the server took: a count and a histogram by IPC, and two files of /proc. */
export class Monitor {
  readonly #progress: Progress
  #title = ''
  #loads: Load[] = []
  #server: Contender | undefined
  #points: Point[] = []
  #latencies = new Latencies()
  #loadSide = 0
  #start = 0
  #measured = false
  #last: Clock | undefined
  #pending = nothing()
  #looking: Promise<void> = Promise.resolve()
  #stopped: AbortController | undefined

  constructor(progress: Progress) {
    this.#progress = progress
  }

  begin(title: string): void {
    this.#title = title
    this.#loads = []
    this.#server = undefined
    this.#points = []
    this.#latencies = new Latencies()
    this.#pending = nothing()
    this.#loadSide = 0
    this.#start = performance.now()
    this.#measured = false
    this.#last = undefined
    const stopped = new AbortController()
    this.#stopped = stopped
    void this.#keepLooking(stopped.signal)
  }

  end(): Watched {
    this.#stopped?.abort()
    this.#progress.end()
    return { points: this.#points, latencies: this.#latencies.encode(), loadSide: this.#loadSide }
  }

  watch(load: Load): void {
    this.#loads.push(load)
    this.#last = undefined
  }

  follow(contender: Contender): void {
    this.#server = contender
    this.#last = undefined
  }

  /** What was until now is settled; what follows is measured, or is not. */
  async mark(kind: 'measured' | 'around'): Promise<void> {
    await this.#look()
    this.#measured = kind === 'measured'
  }

  loadSide(share: number): void {
    this.#loadSide = Math.max(this.#loadSide, share)
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(PERIOD_MS, undefined, { signal }).catch(() => {})
      if (!signal.aborted) await this.#look()
    }
  }

  /** One after the other, also when a mark comes while a look is under way. */
  #look(): Promise<void> {
    // Without a beginning nobody wants to see anything.
    if (this.#stopped?.signal.aborted === false) this.#looking = this.#looking.then(() => this.#lookNow())
    return this.#looking
  }

  async #lookNow(): Promise<void> {
    const measured = this.#measured
    for (const load of this.#loads) {
      // A load process that has ended, or failed, is the scenario's to report.
      const counted = await load.do<Counted>({ do: 'tick' }).catch(() => undefined)
      if (counted === undefined) continue
      this.#pending.tokens += counted.tokens
      this.#pending.opened += counted.opened
      this.#pending.errors += counted.errors
      const latencies = Latencies.decode(counted.latencies)
      this.#pending.latencies.merge(latencies)
      if (measured) this.#latencies.merge(latencies)
    }
    this.#point(measured)
  }

  #point(measured: boolean): void {
    const now = this.#clock()
    const before = this.#last
    if (before === undefined || before.loads.length !== now.loads.length) {
      this.#last = now
      return
    }
    const seconds = now.at - before.at
    if (seconds < SHORTEST_SECONDS) return
    this.#last = now
    const { tokens, opened, errors, latencies } = this.#pending
    const { count, p50, p99, max } = latencies.summary()
    const loads = now.loads.map((spent, nth) => (spent - (before.loads[nth] ?? 0)) / seconds)
    const pid = this.#serverPid()
    const point: Point = {
      at: now.at,
      seconds,
      measured,
      tokens: tokens / seconds,
      handshakes: opened / seconds,
      errors,
      ...(count > 0 ? { latency: { p50, p99, max } } : {}),
      ...(pid === undefined
        ? {}
        : { server: { cores: (now.server - before.server) / seconds, rss: rssKib(pid) / KIB_PER_MIB } }),
      load: Math.max(0, ...loads),
    }
    this.#pending = nothing()
    this.#points.push(point)
    this.#progress.show(this.#title, point)
  }

  /** Undefined also while it is started anew. */
  #serverPid(): number | undefined {
    const server = this.#server?.process
    return server === undefined || server.exitCode !== null || server.signalCode !== null ? undefined : pidOf(server)
  }

  #clock(): Clock {
    const pid = this.#serverPid()
    return {
      at: (performance.now() - this.#start) / PERIOD_MS,
      server: pid === undefined ? 0 : cpuSeconds(pid).own,
      loads: this.#loads.flatMap(({ pids }) => pids.map((pid) => cpuSeconds(pid).own)),
    }
  }
}
