import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'

/** From the project's folder, where tests and faults run: the faults are joined into one file elsewhere. */
const DIST = resolve('dist')
const LAST_START_LINE = /^ {2}transport /
const run = promisify(execFile)

/** The server as people start it, with a data folder and a port of its own; can be stopped and started again on both. */
export class ParleyProcess {
  readonly #env: Readonly<Record<string, string>>
  readonly #dataDir: string
  /** Of more than one on the same data the first removes it. */
  readonly #isFirst: boolean
  readonly url: string
  /** What it wrote since it was last started, a line each. */
  said: string[] = []
  #child?: ChildProcess

  private constructor(port: number, dataDir: string, env: Readonly<Record<string, string>>, isFirst = true) {
    this.url = `http://127.0.0.1:${port}`
    this.#dataDir = dataDir
    this.#isFirst = isFirst
    this.#env = env
  }

  get #environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PORT: new URL(this.url).port,
      PARLEY_DATA_DIR: join(this.#dataDir, 'parley'),
      // A restart must not wait for a count to a thousand; clients are asked back at once.
      PARLEY_DRAIN: '500ms',
      PARLEY_RECONNECT: '200ms',
      ANTHROPIC_API_KEY: '',
      OPENAI_API_KEY: '',
      OPENAI_BASE_URL: '',
      DATABASE_URL: '',
      ...this.#env,
    }
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<ParleyProcess> {
    const server = new ParleyProcess(await freePort(), await mkdtemp(join(tmpdir(), 'parley-browser-')), env)
    try {
      await server.start()
      return server
    } catch (thrown) {
      await server.dispose()
      throw thrown
    }
  }

  /** Another process on the same store, as in a rolling restart; to be disposed of before this one. */
  async beside(): Promise<ParleyProcess> {
    const server = new ParleyProcess(await freePort(), this.#dataDir, this.#env, false)
    await server.start()
    return server
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [join(DIST, 'main.js')], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, as a terminal's job is.
      detached: true,
    })
    this.#child = child
    this.said = []
    child.stderr?.on('data', (chunk) => this.said.push(String(chunk)))
    const lines = createInterface({ input: child.stdout ?? process.stdin })
    const ready = new Promise<boolean>((resolve) => {
      lines.on('close', () => resolve(false))
      lines.on('line', (line) => {
        this.said.push(line)
        if (LAST_START_LINE.test(line)) resolve(true)
      })
    })
    if (!(await ready)) throw new Error(`The server did not start: ${this.said.join('\n')}`)
  }

  /** Nobody reads what it writes any more, as behind `| head`. */
  stopReading(): void {
    this.#child?.stdout?.destroy()
    this.#child?.stderr?.destroy()
  }

  /** Ends it without a chance to do anything. */
  async kill(): Promise<void> {
    await this.#signal((child) => child.kill('SIGKILL'))
  }

  /** Sends a signal to the process and all it started, as Ctrl-C in a terminal does; gives the exit code. */
  signalGroup(signal: NodeJS.Signals): Promise<number | null> {
    return this.#signal((child) => child.pid !== undefined && process.kill(-child.pid, signal))
  }

  /** Sends a signal to the process alone, as a process manager does; gives the exit code. */
  signal(signal: NodeJS.Signals): Promise<number | null> {
    return this.#signal((child) => child.kill(signal))
  }

  async #signal(send: (child: ChildProcess) => void): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return null
    const exited = once(child, 'exit')
    send(child)
    await exited
    return child.exitCode
  }

  /** Ends it as a restart does, draining. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await exited
  }

  /** Ends it for good and removes its data. */
  async dispose(): Promise<void> {
    await this.stop()
    if (this.#isFirst) await rm(this.#dataDir, { recursive: true, force: true })
  }

  /** Runs the `parley` command on the same store; gives what it prints. */
  async command(...args: readonly string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [join(DIST, 'cli.js'), ...args], { env: this.#environment })
    return stdout.trim()
  }

  /** The server's own process id, 0 when it does not run. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Where `parley apps put` and the like may find a file. */
  path(name: string): string {
    return join(this.#dataDir, name)
  }
}
