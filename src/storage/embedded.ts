import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, rmSync, statSync, truncateSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Telemetry } from '../ports/telemetry.ts'
import { findBinaries } from './embedded-binaries.ts'
import {
  chooseSocketDir,
  dropStalePid,
  EMBEDDED_PORT,
  EMBEDDED_USER,
  isAlive,
  makeCluster,
  type Running,
  readReady,
} from './embedded-cluster.ts'
import { ServerShare } from './embedded-share.ts'
import { chooseRunner, giveTo, makeDataDir, type Runner } from './embedded-user.ts'

export type EmbeddedPostgres = {
  readonly connection: {
    readonly socketDir: string
    readonly port: number
    readonly user: string
    readonly database: string
  }
  /** The server ran before: left by a process that was killed, or shared with one that lives. */
  readonly adopted: boolean
  /**
   * Stops the server when this process answers for it and no other Parley uses it; connections of others (psql) have
   * SHARED_STOP_MS to end. Idempotent. Close every storage before.
   */
  stop(): Promise<void>
}

export type EmbeddedOptions = { readonly dataDir: string; readonly log: Telemetry['log'] }

/** Milliseconds from spawn to ready: cold 0.2 s, and a recovery after a crash replays at most a checkpoint's worth of log. */
const START_MS = 60_000
/** Milliseconds between looks at the pid file while the server starts. */
const POLL_MS = 10
/** Milliseconds before a start is tried again: backends of a killed server need a moment to see it. */
const RETRY_MS = 250
/** Milliseconds for other clients to leave before they are cut. */
const SHARED_STOP_MS = 3000
/** Milliseconds for the shutdown checkpoint; a server that takes longer is stopped at once and recovers at the next start. */
const FAST_STOP_MS = 15_000
/** Bytes. The server's log starts anew at a start above this size. */
const MAX_LOG_BYTES = 10 * 1024 * 1024

/** Durability stays on. Statements, details and context stay out of the log: they quote what people wrote. */
const SETTINGS = [
  'listen_addresses=',
  'fsync=on',
  'synchronous_commit=on',
  'log_min_error_statement=panic',
  'log_error_verbosity=terse',
  'log_checkpoints=off',
  'jit=off',
  'wal_level=minimal',
  'max_wal_senders=0',
]

/** Starts the Postgres of the npm package on `<dataDir>/postgres`, or adopts the one that runs there. */
export async function startEmbedded({ dataDir, log }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries()
  const dir = resolve(dataDir)
  makeDataDir(dir)
  const server = new EmbeddedServer(dir, chooseRunner(binaries, dir), log)
  const { running, adopted } = await server.start()
  const connection = { socketDir: running.socketDir, port: EMBEDDED_PORT, user: EMBEDDED_USER, database: 'postgres' }
  return { connection, adopted, stop: () => server.stop() }
}

class EmbeddedServer {
  readonly #dataDir: string
  readonly #pgData: string
  readonly #logFile: string
  readonly #runner: Runner
  readonly #log: Telemetry['log']
  readonly #share: ServerShare
  #running: Running | undefined
  #socketDir: { readonly dir: string; readonly temporary: boolean } | undefined
  #stopped: Promise<void> | undefined

  constructor(dataDir: string, runner: Runner, log: Telemetry['log']) {
    this.#dataDir = dataDir
    this.#pgData = join(dataDir, 'postgres')
    this.#logFile = join(dataDir, 'postgres.log')
    this.#runner = runner
    this.#log = log
    this.#share = new ServerShare(dataDir)
  }

  async start(): Promise<{ running: Running; adopted: boolean }> {
    this.#share.join()
    const deadline = Date.now() + START_MS
    for (;;) {
      const found = await readReady(this.#pgData)
      if (found) {
        this.#running = found
        this.#share.claimIfOrphaned()
        return { running: found, adopted: true }
      }
      const started = await this.#spawn(deadline)
      if (started) return { running: started, adopted: false }
      if (Date.now() > deadline) throw new Error(`Postgres did not start in ${this.#pgData}: ${await this.#lastLine()}`)
      await dropStalePid(this.#pgData)
      await delay(RETRY_MS)
    }
  }

  /** One try; undefined when the server ended again: another process was first, or an old one is still going down. */
  async #spawn(deadline: number): Promise<Running | undefined> {
    if (!existsSync(join(this.#pgData, 'PG_VERSION'))) await makeCluster(this.#runner, this.#dataDir, this.#pgData)
    giveTo(this.#runner, this.#pgData)
    this.#socketDir ??= chooseSocketDir(this.#runner, this.#pgData)
    const child = this.#launch(this.#socketDir.dir)
    child.once('error', (error) => this.#log('error', 'embedded postgres cannot be run', {}, error))
    while (isOn(child) && Date.now() < deadline) {
      const ready = await readReady(this.#pgData)
      if (ready !== undefined && ready.pid === child.pid) {
        this.#running = ready
        this.#share.claim()
        child.once('exit', (code) => void this.#revive(code))
        return ready
      }
      await delay(POLL_MS)
    }
    if (isOn(child)) child.kill('SIGQUIT')
    return undefined
  }

  #launch(socketDir: string): ChildProcess {
    if (existsSync(this.#logFile) && statSync(this.#logFile).size > MAX_LOG_BYTES) truncateSync(this.#logFile)
    const out = openSync(this.#logFile, 'a', 0o600)
    const settings = SETTINGS.flatMap((setting) => ['-c', setting])
    const { file, args } = this.#runner.command(this.#runner.binaries.postgres, [
      '-D',
      this.#pgData,
      '-k',
      socketDir,
      ...settings,
    ])
    // A group of its own: Ctrl-C goes to the whole group and would stop the database in the middle of our drain.
    const child = spawn(file, args, { ...this.#runner.options, cwd: '/', detached: true, stdio: ['ignore', out, out] })
    closeSync(out)
    child.unref()
    return child
  }

  /** The server died under us (out of memory, a kill): start it again; the pools reconnect by themselves. */
  async #revive(code: number | null): Promise<void> {
    if (this.#stopped) return
    this.#log('error', 'embedded postgres ended', { code: code ?? undefined })
    try {
      await this.start()
      this.#log('info', 'embedded postgres started again')
    } catch (error) {
      this.#log('error', 'embedded postgres does not start', {}, error)
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown()
    return this.#stopped
  }

  async #shutDown(): Promise<void> {
    if (!this.#share.leave() || !this.#running) return
    const { pid } = this.#running
    // Smart: no new connections, ends once the last client has left. Fast: cuts them. Immediate: recovers at the next start.
    const stages: readonly [NodeJS.Signals, number][] = [
      ['SIGTERM', SHARED_STOP_MS],
      ['SIGINT', FAST_STOP_MS],
      ['SIGQUIT', FAST_STOP_MS],
    ]
    for (const [signal, ms] of stages) {
      if (!isAlive(pid)) break
      process.kill(pid, signal)
      await this.#gone(pid, ms)
    }
    if (this.#socketDir?.temporary) rmSync(this.#socketDir.dir, { recursive: true, force: true })
  }

  async #gone(pid: number, ms: number): Promise<void> {
    const deadline = Date.now() + ms
    while (isAlive(pid) && Date.now() < deadline) await delay(POLL_MS)
  }

  async #lastLine(): Promise<string> {
    const lines = (await readFile(this.#logFile, 'utf8').catch(() => '')).trim().split('\n')
    return lines.at(-1) ?? ''
  }
}

function isOn(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}
