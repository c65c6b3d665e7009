import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, startEmbedded } from '../../src/storage/embedded.ts'
import { migrate } from '../../src/storage/migrate.ts'

const PROCESS_LIST = 'ps'

/** A directory that the server can reach when the tests run as root. */
export function makeDirectory(prefix = 'parley-own-', mode = 0o711): string {
  const dir = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(dir, mode)
  return dir
}

/** An embedded server of one test file's own, which may be stopped, paused and killed. */
export class OwnServer {
  readonly dataDir = makeDirectory()
  readonly logged: string[] = []
  #server: EmbeddedPostgres | undefined

  async start(): Promise<EmbeddedPostgres> {
    this.#server = await startEmbedded({ dataDir: this.dataDir, log: (_, event) => this.logged.push(event) })
    await migrate(this.#server.connection)
    return this.#server
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
    this.#server = undefined
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.dataDir, { recursive: true, force: true })
  }

  get pid(): number {
    return readPid(this.dataDir)
  }

  /** The server and all its backends (each is a session of its own: a signal to the group misses them). */
  signalAll(signal: NodeJS.Signals): void {
    for (const pid of [this.pid, ...childrenOf(this.pid)]) process.kill(pid, signal)
  }
}

export function readPid(dataDir: string): number {
  return Number(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  if (existsSync(file)) return readFileSync(file, 'utf8').trim().split(' ').map(Number)
  // macOS has no /proc.
  const processes = execFileSync(PROCESS_LIST, ['-Ao', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = processes.map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([child, parent]) => (child !== undefined && parent === pid ? [child] : []))
}
