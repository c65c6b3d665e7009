import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Contender } from '../contenders/contender.ts'
import { pidOf } from '../contenders/contender.ts'
import type { ProbeCommand, ProbeFigures } from '../probe.ts'
import type { UpstreamReport } from '../upstream.ts'
import { Load, loadCore } from './loads.ts'
import type { Monitor } from './monitor.ts'
import { cpuSeconds, familyCpuSeconds, machineCpuSeconds, OTHER_CORE, startNode, stopProcess } from './processes.ts'
import { call } from './rpc.ts'

/** What was spent between two moments, in seconds. Of a server that somebody else started, nothing is known: NaN. */
export type Spent = {
  readonly wall: number
  /** The server process's own CPU. */
  readonly server: number
  /** The database the server launched, all of its processes. */
  readonly database: number
  /** Of the busiest core of upstream and load: near `wall`, they are the bottleneck and the figures are theirs. */
  readonly loadSide: number
  /** Everything else on the machine, and what the host took. */
  readonly others: number
}

const MS_PER_SECOND = 1000

type RigOptions = {
  /** Where the bench's own joined files are. */
  readonly outDir: string
  /** Load processes of a measurement. */
  readonly loaders: number
  readonly monitor: Monitor
}

type Upstream = { readonly child: ChildProcess; readonly url: string }

/** The processes around the server under measurement. One upstream serves a whole bench; load processes serve one measurement. */
export class Rig {
  readonly outDir: string
  readonly monitor: Monitor
  readonly #loaders: number
  /** None where the server has a model of its own; then it runs wherever it was started, and nothing is pinned. */
  readonly #upstream: Upstream | undefined

  private constructor({ outDir, loaders, monitor }: RigOptions, upstream: Upstream | undefined) {
    this.outDir = outDir
    this.monitor = monitor
    this.#loaders = loaders
    this.#upstream = upstream
  }

  static async start(options: RigOptions): Promise<Rig> {
    const child = startNode(OTHER_CORE, [join(options.outDir, 'upstream.js')])
    const [url] = await once(child, 'message')
    return new Rig(options, { child, url: String(url) })
  }

  /** For a server that is there already. */
  static beside(options: RigOptions): Rig {
    return new Rig(options, undefined)
  }

  /** Empty where the server has a model of its own. */
  get upstreamUrl(): string {
    return this.#upstream?.url ?? ''
  }

  upstreamReport(): Promise<UpstreamReport> {
    if (this.#upstream === undefined) throw new Error('the server has a model of its own')
    return call(this.#upstream.child, {})
  }

  startLoad(): Load {
    const cores = Array.from({ length: this.#loaders }, (_, nth) =>
      this.#upstream === undefined ? undefined : loadCore(nth, this.#loaders),
    )
    const load = new Load(cores.map((core) => startNode(core, [join(this.outDir, 'load.js')])))
    this.monitor.watch(load)
    return load
  }

  /** Runs `work` and says what was spent meanwhile. What the load counts meanwhile is what the report calls measured. */
  async spentBy<Result>(contender: Contender, load: Load, work: () => Promise<Result>): Promise<[Result, Spent]> {
    await this.monitor.mark('measured')
    const before = this.#clock(contender, load)
    const result = await work()
    const after = this.#clock(contender, load)
    await this.monitor.mark('around')
    const wall = after.wall - before.wall
    const server = after.server - before.server
    const database = after.database - before.database
    const sides = after.loadSide.map((seconds, nth) => seconds - (before.loadSide[nth] ?? 0))
    const all = sides.reduce((sum, seconds) => sum + seconds, 0)
    const loadSide = Math.max(...sides)
    this.monitor.loadSide(loadSide / wall)
    const bench = after.bench - before.bench
    const others = Math.max(0, after.machine - before.machine - server - database - all - bench)
    return [result, { wall, server, database, loadSide, others }]
  }

  async stop(): Promise<void> {
    if (this.#upstream) await stopProcess(this.#upstream.child)
  }

  #clock(contender: Contender, load: Load): Clock {
    return {
      wall: performance.now() / MS_PER_SECOND,
      server: contender.process === undefined ? Number.NaN : cpuSeconds(pidOf(contender.process)).own,
      database: contender.databasePid === undefined ? 0 : familyCpuSeconds(contender.databasePid),
      loadSide: this.#byCore(load),
      machine: machineCpuSeconds(),
      bench: cpuSeconds(process.pid).own,
    }
  }

  /** CPU seconds of the load side by core; where nothing is pinned, by process. */
  #byCore(load: Load): readonly number[] {
    const own = load.pids.map((pid) => cpuSeconds(pid).own)
    if (this.#upstream === undefined) return own
    const cores = new Map([[OTHER_CORE, cpuSeconds(pidOf(this.#upstream.child)).own]])
    for (const [nth, seconds] of own.entries()) {
      const core = loadCore(nth, this.#loaders)
      cores.set(core, (cores.get(core) ?? 0) + seconds)
    }
    return [...cores.values()]
  }
}

type Clock = Omit<Spent, 'loadSide' | 'others'> & {
  readonly loadSide: readonly number[]
  readonly machine: number
  readonly bench: number
}

const UNKNOWN: ProbeFigures = { heap: Number.NaN, files: Number.NaN, handles: Number.NaN }

export async function figures(contender: Contender): Promise<ProbeFigures> {
  return contender.process === undefined ? UNKNOWN : call(contender.process, { do: 'figures' })
}

/** Of a server that somebody else started: NaN. */
export async function probe(contender: Contender, command: ProbeCommand): Promise<number> {
  return contender.process === undefined ? Number.NaN : call(contender.process, command)
}
