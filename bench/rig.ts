import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Contender } from './contender.ts'
import { pidOf } from './contender.ts'
import type { LoadCommand } from './load.ts'
import type { ProbeCommand } from './probe.ts'
import { cpuSeconds, familyCpuSeconds, machineCpuSeconds, OTHER_CORE, startNode, stopProcess } from './processes.ts'
import { call } from './rpc.ts'
import type { UpstreamReport } from './upstream.ts'

/** What was spent between two moments, in seconds. */
export type Spent = {
  readonly wall: number
  /** The server process's own CPU. */
  readonly server: number
  /** The database the server launched, all of its processes. */
  readonly database: number
  /** Upstream and load together: near `wall`, they are the bottleneck and the figures are theirs. */
  readonly loadSide: number
  /** Everything else on the machine, and what the host took. */
  readonly others: number
}

const MS_PER_SECOND = 1000

/** The processes around the server under measurement. One upstream serves a whole bench; a load process serves one measurement. */
export class Rig {
  readonly upstreamUrl: string
  readonly outDir: string
  readonly #upstream: ChildProcess

  private constructor(upstream: ChildProcess, upstreamUrl: string, outDir: string) {
    this.#upstream = upstream
    this.upstreamUrl = upstreamUrl
    this.outDir = outDir
  }

  static async start(outDir: string): Promise<Rig> {
    const upstream = startNode(OTHER_CORE, [join(outDir, 'upstream.js')])
    const [url] = await once(upstream, 'message')
    return new Rig(upstream, String(url), outDir)
  }

  upstreamReport(): Promise<UpstreamReport> {
    return call(this.#upstream, {})
  }

  startLoad(): Load {
    return new Load(startNode(OTHER_CORE, [join(this.outDir, 'load.js')]))
  }

  /** Runs `work` and says what was spent meanwhile. */
  async spentBy<Result>(contender: Contender, load: Load, work: () => Promise<Result>): Promise<[Result, Spent]> {
    const before = this.#clock(contender, load)
    const result = await work()
    const after = this.#clock(contender, load)
    const wall = after.wall - before.wall
    const server = after.server - before.server
    const database = after.database - before.database
    const loadSide = after.loadSide - before.loadSide
    const bench = after.bench - before.bench
    const others = Math.max(0, after.machine - before.machine - server - database - loadSide - bench)
    return [result, { wall, server, database, loadSide, others }]
  }

  stop(): Promise<void> {
    return stopProcess(this.#upstream)
  }

  #clock(contender: Contender, load: Load): Spent & { readonly machine: number; readonly bench: number } {
    return {
      wall: performance.now() / MS_PER_SECOND,
      server: cpuSeconds(contender.pid).own,
      database: contender.databasePid === undefined ? 0 : familyCpuSeconds(contender.databasePid),
      loadSide: cpuSeconds(pidOf(this.#upstream)).own + cpuSeconds(load.pid).own,
      others: 0,
      machine: machineCpuSeconds(),
      bench: cpuSeconds(process.pid).own,
    }
  }
}

export class Load {
  readonly #child: ChildProcess

  constructor(child: ChildProcess) {
    this.#child = child
  }

  get pid(): number {
    return pidOf(this.#child)
  }

  do<Result>(command: LoadCommand): Promise<Result> {
    return call(this.#child, command)
  }

  stop(): Promise<void> {
    return stopProcess(this.#child)
  }
}

export function probe(contender: Contender, command: ProbeCommand): Promise<number> {
  return call(contender.process, command)
}
