import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ParleyProcess } from '../support/parley-process.ts'

const PROBE = new URL('./probe.js', import.meta.url).href
const KIB_PER_PAGE = 4
const KIB_PER_MIB = 1024
/** Milliseconds between two looks at the memory of a server: a flood takes longer to fill anything. */
const SAMPLE_MS = 100
/** Milliseconds between two looks at something that is to become so. */
const LOOK_MS = 50
const BYTES_PER_MIB = KIB_PER_MIB * KIB_PER_MIB

/** The line to the probe inside a server: one question, one answer, in order. */
class ProbeLine {
  readonly #socket: Socket
  readonly #waiting: ((answer: number) => void)[] = []

  constructor(path: string) {
    this.#socket = connect(path)
    createInterface({ input: this.#socket }).on('line', (line) => this.#waiting.shift()?.(Number(line)))
    // A server that died answers nothing any more: NaN is above and below no bound, and `alive` says why.
    this.#socket.on('error', () => this.#socket.destroy())
    this.#socket.on('close', () => {
      for (const answer of this.#waiting.splice(0)) answer(Number.NaN)
    })
  }

  ask(command: 'pid' | 'stall' | 'heap'): Promise<number> {
    if (this.#socket.destroyed) return Promise.resolve(Number.NaN)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#socket.write(`${command}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** A server in a process of its own, looked at from outside (/proc, /metrics, /healthz) and through a probe inside. */
export class WatchedServer {
  readonly process: ParleyProcess
  readonly pid: number
  readonly port: number
  readonly #folder: string
  readonly #probe: ProbeLine
  readonly #sampler: NodeJS.Timeout
  #peakMib = 0

  private constructor(server: ParleyProcess, folder: string, probe: ProbeLine, pid: number) {
    this.process = server
    this.pid = pid
    this.port = Number(new URL(server.url).port)
    this.#folder = folder
    this.#probe = probe
    this.#sampler = setInterval(() => this.rssMib(), SAMPLE_MS)
  }

  static async start(env: Readonly<Record<string, string>>): Promise<WatchedServer> {
    const folder = await mkdtemp(join(tmpdir(), 'parley-probe-'))
    const path = join(folder, 'probe')
    const probed = { NODE_OPTIONS: `--import ${PROBE}`, PARLEY_FAULT_PROBE: path }
    const server = await ParleyProcess.start({ LOG_LEVEL: 'warn', ...env, ...probed })
    const probe = new ProbeLine(path)
    return new WatchedServer(server, folder, probe, await probe.ask('pid'))
  }

  /** MiB of memory in RAM now. Sockets' own buffers are the kernel's and not in it. */
  rssMib(): number {
    const mib = (Number(this.#proc('statm').split(' ')[1]) * KIB_PER_PAGE) / KIB_PER_MIB
    if (mib > this.#peakMib) this.#peakMib = mib
    return mib
  }

  /** The most that it had since this was last asked. */
  takePeakMib(): number {
    this.rssMib()
    const peak = this.#peakMib
    this.#peakMib = 0
    return peak
  }

  /** MiB of live objects after a collection. */
  async heapMib(): Promise<number> {
    return (await this.#probe.ask('heap')) / BYTES_PER_MIB
  }

  /** Milliseconds: the longest that its loop stood still since this was last asked. */
  takeStallMs(): Promise<number> {
    return this.#probe.ask('stall')
  }

  get alive(): boolean {
    return this.#proc('statm') !== ''
  }

  async isHealthy(): Promise<boolean> {
    const answer = await fetch(`${this.process.url}/healthz`).catch(() => undefined)
    return answer?.status === 200
  }

  /** The sum of a metric over its labels, or of those lines that hold `label`. */
  async metric(name: string, label = ''): Promise<number> {
    const ask = (): Promise<Response> => fetch(`${this.process.url}/metrics`)
    // The connection that is reused may have been ended while this process was busy: a new one is made for the second try.
    const text = await (await ask().catch(ask)).text()
    const lines = text.split('\n').filter((line) => line.startsWith(`parley_${name}`) && line.includes(label))
    const own = lines.filter((line) => /^[{ ]/.test(line.slice(`parley_${name}`.length)))
    return own.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  async dispose(): Promise<void> {
    clearInterval(this.#sampler)
    this.#probe.close()
    await this.process.dispose()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #proc(file: string): string {
    try {
      return readFileSync(`/proc/${this.pid}/${file}`, 'utf8')
    } catch {
      return ''
    }
  }
}

/** True once `holds`; false when it does not within `ms`. */
export async function within(ms: number, holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > end) return false
    await sleep(LOOK_MS)
  }
  return true
}
