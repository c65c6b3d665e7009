import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import * as v from 'valibot'
import { type Prove, provesSecret } from './keys.ts'

/** Beside this file both in src/access and in the bundled dist. */
const WORKER = new URL('./proof-worker.mjs', import.meta.url)
/** MB of such a thread's heap: it holds a key and a hash at a time. */
const HEAP_MB = 16
/** Milliseconds: eight hashes. A machine without that much idle time in it proves a key at the usual priority. */
const PATIENCE_MS = 200

const Hello = v.object({ thread: v.pipe(v.string(), v.regex(/^\d+$/)) })
const Answer = v.object({ id: v.number(), proven: v.boolean() })

export type QuietOptions = {
  /** Hashes at once, each of which may have a thread; there are no more of them than cores. */
  readonly most: number
  /** Milliseconds until a hash is done at the usual priority after all. */
  readonly patienceMs?: number
  /** The program of util-linux that sets what a thread is scheduled by. */
  readonly chrt?: string
}

/**
 * Proves secrets in threads that run while their core has nothing else to do (SCHED_IDLE): at any other priority a hash takes the
 * event loop's core for milliseconds at a time, where both have to share one. Threads begin with the first proof, which is done as
 * usual; so are all where there is no such thing, when a thread is gone and while one is late.
 */
export class QuietProofs {
  readonly #options: QuietOptions
  readonly #threads: QuietThread[] = []
  #begun = false
  #closed = false

  constructor(options: QuietOptions) {
    this.#options = options
  }

  readonly prove: Prove = async (stored, secret) => {
    if (!this.#begun) void this.#begin()
    const [thread] = this.#threads.filter(({ isReady }) => isReady).sort((a, b) => a.load - b.load)
    return (await thread?.prove(stored, secret)) ?? provesSecret(stored, secret)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()))
  }

  async #begin(): Promise<void> {
    this.#begun = true
    if (process.platform !== 'linux') return
    const { most, patienceMs = PATIENCE_MS, chrt = 'chrt' } = this.#options
    const count = Math.min(most, availableParallelism())
    await Promise.all(
      Array.from({ length: count }, async () => {
        const thread = await QuietThread.open(patienceMs, chrt)
        if (thread === undefined) return
        if (this.#closed) await thread.end()
        else this.#threads.push(thread)
      }),
    )
  }
}

class QuietThread {
  readonly #worker: Worker
  readonly #patienceMs: number
  /** By number: who waits, until it is late. */
  readonly #asked = new Map<number, (proven: boolean | undefined) => void>()
  #next = 0
  #late = 0
  #gone = false

  private constructor(worker: Worker, patienceMs: number) {
    this.#worker = worker
    this.#patienceMs = patienceMs
    worker.on('message', (message: unknown) => this.#answered(message))
    worker.on('exit', () => this.#leave())
  }

  /** Undefined where a thread cannot be made one that runs in idle time only. */
  static async open(patienceMs: number, chrt: string): Promise<QuietThread | undefined> {
    const worker = new Worker(WORKER, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB }, env: {} })
    worker.unref()
    // Whatever ends it: it is told by its exit, too.
    worker.on('error', () => {})
    try {
      const [hello]: unknown[] = await once(worker, 'message')
      await promisify(execFile)(chrt, ['--idle', '--pid', '0', v.parse(Hello, hello).thread])
      return new QuietThread(worker, patienceMs)
    } catch {
      await worker.terminate()
      return undefined
    }
  }

  /** One that is late with something gets nothing new. */
  get isReady(): boolean {
    return !this.#gone && this.#late === 0
  }

  get load(): number {
    return this.#asked.size
  }

  /** Undefined: not in time. */
  prove(stored: string, secret: string): Promise<boolean | undefined> {
    const id = this.#next++
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#late++
        resolve(undefined)
      }, this.#patienceMs)
      this.#asked.set(id, (proven) => {
        clearTimeout(timer)
        resolve(proven)
      })
      this.#worker.postMessage({ id, stored, secret }, [])
    })
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #answered(message: unknown): void {
    const { id, proven } = v.parse(Answer, message)
    this.#asked.get(id)?.(proven)
    this.#asked.delete(id)
    if (this.#asked.size === 0) this.#late = 0
  }

  #leave(): void {
    this.#gone = true
    for (const tell of this.#asked.values()) tell(undefined)
    this.#asked.clear()
  }
}
