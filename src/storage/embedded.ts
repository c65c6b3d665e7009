import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, rmSync } from 'node:fs'
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
import type { Environment } from './embedded-env.ts'
import { ServerLog } from './embedded-log.ts'
import { ServerShare } from './embedded-share.ts'
import { chooseRunner, giveTo, isRoot, makeDataDir, type Runner } from './embedded-user.ts'

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

export type EmbeddedOptions = {
  readonly dataDir: string
  readonly log: Telemetry['log']
  /** This process's; the server gets what concerns it. */
  readonly env?: Environment
}

/** Milliseconds from spawn to ready: cold 0.2 s, and a recovery after a crash replays at most a checkpoint's worth of log. */
const START_MS = 60_000
/** Milliseconds between looks at the pid file while the server starts. */
const POLL_MS = 10
/** Milliseconds before a start is tried again: backends of a killed server need a moment to see it. */
const RETRY_MS = 250
/** Milliseconds that the wait between tries doubles up to when a server that died does not start: a full disk is emptied some time. */
const MAX_RETRY_MS = 5000
/** Failed tries in a row before they are told: the first meet backends that are still going down, or another process that is quicker. */
const QUIET_TRIES = 2
/** Milliseconds between looks at a server that another process started: nobody tells us when it ends. */
const WATCH_MS = 1000
/** Milliseconds for other clients to leave before they are cut. */
const SHARED_STOP_MS = 3000
/** Milliseconds for the shutdown checkpoint; a server that takes longer is stopped at once and recovers at the next start. */
const FAST_STOP_MS = 15_000

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
export async function startEmbedded({ dataDir, log, env = {} }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries()
  const dir = resolve(dataDir)
  makeDataDir(dir)
  const server = new EmbeddedServer(dir, chooseRunner(binaries, dir, isRoot(), env), log)
  const { running, adopted } = await server.start()
  const connection = { socketDir: running.socketDir, port: EMBEDDED_PORT, user: EMBEDDED_USER, database: 'postgres' }
  return { connection, adopted, stop: () => server.stop() }
}

class EmbeddedServer {
  readonly #dataDir: string
  readonly #pgData: string
  readonly #output: ServerLog
  readonly #runner: Runner
  readonly #log: Telemetry['log']
  readonly #share: ServerShare
  readonly #stopping = new AbortController()
  #running: Running | undefined
  #socketDir: { readonly dir: string; readonly temporary: boolean } | undefined
  #watch: NodeJS.Timeout | undefined
  #reviving: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(dataDir: string, runner: Runner, log: Telemetry['log']) {
    this.#dataDir = dataDir
    this.#pgData = join(dataDir, 'postgres')
    this.#output = new ServerLog(join(dataDir, 'postgres.log'))
    this.#runner = runner
    this.#log = log
    this.#share = new ServerShare(dataDir)
  }

  async start(): Promise<{ running: Running; adopted: boolean }> {
    this.#share.join()
    const deadline = Date.now() + START_MS
    for (let failed = 1; ; failed++) {
      const up = await this.#bringUp(deadline)
      if (up) return up
      if (Date.now() > deadline) throw new Error(`Postgres did not start in ${this.#pgData}: ${this.#output.reason()}`)
      // Once: who waits for a minute wants to know for what.
      if (failed === QUIET_TRIES + 1) this.#log('error', 'embedded postgres does not start', { failed })
      await delay(RETRY_MS)
    }
  }

  /** One try. */
  async #bringUp(deadline: number): Promise<{ running: Running; adopted: boolean } | undefined> {
    const found = await readReady(this.#pgData)
    if (found) {
      this.#adopt(found)
      return { running: found, adopted: true }
    }
    const started = await this.#spawn(deadline)
    if (started) return { running: started, adopted: false }
    await dropStalePid(this.#pgData)
    return undefined
  }

  #adopt(found: Running): void {
    if (this.#socketDir?.temporary && this.#socketDir.dir !== found.socketDir) {
      rmSync(this.#socketDir.dir, { recursive: true, force: true })
      this.#socketDir = undefined
    }
    // Should it be ours to start again, its clients look for it where it is now.
    this.#socketDir ??= { dir: found.socketDir, temporary: false }
    this.#running = found
    this.#share.claimIfOrphaned()
    clearInterval(this.#watch)
    this.#watch = setInterval(() => {
      if (isAlive(found.pid)) return
      clearInterval(this.#watch)
      this.#ended()
    }, WATCH_MS)
    this.#watch.unref()
  }

  /** One try; undefined when the server ended again: another process was first, or an old one is still going down. */
  async #spawn(deadline: number): Promise<Running | undefined> {
    if (!existsSync(join(this.#pgData, 'PG_VERSION'))) await makeCluster(this.#runner, this.#dataDir, this.#pgData)
    giveTo(this.#runner, this.#pgData)
    this.#socketDir ??= chooseSocketDir(this.#runner, this.#pgData)
    const child = this.#launch(this.#socketDir.dir)
    child.once('error', (error) => this.#log('error', 'embedded postgres cannot be run', {}, error))
    while (isOn(child) && Date.now() < deadline && !this.#stopping.signal.aborted) {
      const ready = await readReady(this.#pgData)
      if (ready !== undefined && ready.pid === child.pid) {
        this.#running = ready
        this.#share.claim()
        child.once('exit', (code) => this.#ended(code))
        return ready
      }
      await delay(POLL_MS)
    }
    if (isOn(child)) child.kill('SIGQUIT')
    return undefined
  }

  #launch(socketDir: string): ChildProcess {
    const out = this.#output.open()
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
  #ended(code?: number | null): void {
    if (this.#stopping.signal.aborted) return
    this.#log('error', 'embedded postgres ended', { code: code ?? undefined })
    this.#reviving = this.#revive()
  }

  /** Tries until the server is back or no longer wanted: without it nothing can be saved. */
  async #revive(): Promise<void> {
    const { signal } = this.#stopping
    for (let failed = 0; !signal.aborted; ) {
      const up = await this.#bringUp(Date.now() + START_MS).catch((error: unknown) => ({ error }))
      if (up !== undefined && !('error' in up)) return this.#log('info', 'embedded postgres started again')
      failed++
      if (failed > QUIET_TRIES) this.#log('error', 'embedded postgres does not start', { failed }, up?.error)
      const wait = Math.min(RETRY_MS * 2 ** (failed - 1), MAX_RETRY_MS)
      await delay(wait, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown()
    return this.#stopped
  }

  async #shutDown(): Promise<void> {
    this.#stopping.abort()
    await this.#reviving
    clearInterval(this.#watch)
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
}

function isOn(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}
