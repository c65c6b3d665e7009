import { Worker } from 'node:worker_threads'
import { ToolError } from '../../ports/tool.ts'

/**
 * What was read of an expression, in the order of computing it: what an operation takes stands before it. It is a list because
 * values within values, a thousand deep, do not come whole from one thread to another.
 */
export type Step =
  /** A number, or what else can be written down. */
  | { readonly kind: 'constant'; readonly value: unknown }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'operator' | 'function'; readonly name: string; readonly takes: number }
  | { readonly kind: 'other' }

/** What the thread does. What either throws is meant for the model. */
export type Mathematics = {
  parse(text: string): Step[]
  convert(value: number, from: string, to: string): number
}

/** What the thread says of one call. */
type Answer = { readonly id: number; readonly result: never; readonly fault?: string }

/** Who waits, until it is told. */
type Call = { readonly done: (result: never) => void; readonly failed: (why: Error) => void }

/** A thread with what it is asked; `end` fails all of that, and the next call begins another thread. */
type Running = { readonly worker: Worker; readonly calls: Map<number, Call>; readonly end: (why: Error) => void }

/** Beside this file both in src/tools/builtin and in the bundled dist. */
const WORKER = new URL('./math-worker.mjs', import.meta.url)
/** MB of the thread's heap: three times what mathjs takes. */
const HEAP_MB = 96
/** Milliseconds for one call, the thread's start included; both take far less, even where the machine has no time. */
const PATIENCE_MS = 10_000

/**
 * mathjs on a thread of its own. It takes 0.2 s to load, in which the event loop would serve nobody, and 30 MB, which only a
 * server has whose models calculate: the thread begins with the first call. After its end the next call begins another.
 */
export class MathThread {
  readonly #program: URL
  readonly #patienceMs: number
  #running: Running | undefined
  #next = 0

  constructor(program = WORKER, patienceMs = PATIENCE_MS) {
    this.#program = program
    this.#patienceMs = patienceMs
  }

  /** Throws ToolError with what the thread says against it, or when it takes too long; what ended the thread by itself as it is. */
  async ask<Name extends keyof Mathematics>(
    name: Name,
    ...args: Parameters<Mathematics[Name]>
  ): Promise<ReturnType<Mathematics[Name]>> {
    this.#running ??= this.#begin()
    const { worker, calls, end } = this.#running
    const id = this.#next++
    const late = setTimeout(() => end(new ToolError('This takes too long to compute.')), this.#patienceMs)
    try {
      return await new Promise<ReturnType<Mathematics[Name]>>((done, failed) => {
        calls.set(id, { done, failed })
        worker.postMessage({ id, name, args }, [])
      })
    } finally {
      clearTimeout(late)
      calls.delete(id)
    }
  }

  #begin(): Running {
    const worker = new Worker(this.#program, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB }, env: {} })
    const calls = new Map<number, Call>()
    const end = (why: Error): void => {
      if (this.#running === running) this.#running = undefined
      for (const { failed } of calls.values()) failed(why)
      void worker.terminate()
    }
    const running: Running = { worker, calls, end }
    worker.unref()
    worker.on('message', ({ id, result, fault }: Answer) => {
      const call = calls.get(id)
      if (fault === undefined) call?.done(result)
      else call?.failed(new ToolError(fault))
    })
    worker.on('messageerror', end)
    worker.on('error', end)
    worker.on('exit', () => end(new Error('the thread of mathjs is gone')))
    return running
  }
}

const thread = new MathThread()

/** Reads an expression. Throws ToolError, which says where the reader stopped. */
export function parseExpression(text: string): Promise<readonly Step[]> {
  return thread.ask('parse', text)
}

/** Throws ToolError, which says what unit is not known, or that the two do not fit. */
export function convertUnit(value: number, from: string, to: string): Promise<number> {
  return thread.ask('convert', value, from, to)
}
