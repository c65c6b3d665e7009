import type { ModelEvent, ModelRequest, Provider, Providers, StopReason } from '../../src/ports/provider.ts'
import { faultsOf } from './model-audit.ts'

/** What a request for a title is told apart by. */
const TITLE_SYSTEM = /^You name conversations/

/** One request that the core made, as the test plays the model's part in it. */
export class PuppetStream {
  readonly request: ModelRequest
  readonly signal: AbortSignal
  /** Goes on after an abort, as no good provider would. */
  deaf = false
  /** The core left the loop. */
  left = false
  readonly #queue: (ModelEvent | Error | 'cut')[] = []
  #wake: (() => void) | undefined

  constructor(request: ModelRequest, signal: AbortSignal) {
    this.request = request
    this.signal = signal
    signal.addEventListener('abort', () => {
      if (!this.deaf) this.fail(new Error('aborted'))
    })
  }

  say(...deltas: string[]): this {
    return this.emit(...deltas.map((delta): ModelEvent => ({ type: 'text', delta })))
  }

  think(...deltas: string[]): this {
    return this.emit(...deltas.map((delta): ModelEvent => ({ type: 'reasoning', delta })))
  }

  call(id: string, name: string, args: unknown): this {
    const text = JSON.stringify(args)
    const half = Math.ceil(text.length / 2)
    return this.emit(
      { type: 'tool.start', id, name },
      { type: 'tool.args', id, delta: text.slice(0, half) },
      { type: 'tool.args', id, delta: text.slice(half) },
      { type: 'tool.end', id },
    )
  }

  stop(reason: StopReason = 'end'): this {
    const usage = { provider: 'puppet', model: 'p', inputTokens: 10, outputTokens: 5, totalTokens: 15 }
    return this.emit({ type: 'usage', usage }, { type: 'stop', reason })
  }

  emit(...events: ModelEvent[]): this {
    this.#queue.push(...events)
    this.#wake?.()
    return this
  }

  fail(error: Error): void {
    this.#queue.push(error)
    this.#wake?.()
  }

  /** The stream ends without a `stop`. */
  cut(): void {
    this.#queue.push('cut')
    this.#wake?.()
  }

  /** What was emitted and not read yet, up to a stop. */
  #take(): ModelEvent[] {
    const events: ModelEvent[] = []
    for (let next = this.#queue[0]; next !== undefined && next !== 'cut' && !(next instanceof Error); ) {
      events.push(next)
      this.#queue.shift()
      if (next.type === 'stop') break
      next = this.#queue[0]
    }
    return events
  }

  async *events(): AsyncGenerator<readonly ModelEvent[]> {
    try {
      while (true) {
        const events = this.#take()
        const next = this.#queue[0]
        if (events.length > 0) {
          yield events
          if (events.at(-1)?.type === 'stop') return
        } else if (next instanceof Error) throw next
        else if (next === 'cut') return
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
      }
    } finally {
      this.left = true
    }
  }
}

/** A provider whose every stream is played by the test. Requests for a title are answered by themselves. */
export class PuppetProvider implements Provider, Providers {
  readonly name = 'puppet'
  readonly streams: PuppetStream[] = []
  /** What a model's API would have refused, over all requests (I5). */
  readonly faults: string[] = []
  /** What a request for a title is answered with; undefined: the test answers it. */
  title: string | undefined = 'A Fine Title'
  readonly titleStreams: PuppetStream[] = []
  #waiters: { readonly index: number; readonly resolve: (stream: PuppetStream) => void }[] = []

  resolve(model: string) {
    const [provider, name] = model.split('/')
    return provider === this.name && name !== undefined ? { provider: this, model: name } : undefined
  }

  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<readonly ModelEvent[]> {
    const stream = new PuppetStream(request, signal)
    if (TITLE_SYSTEM.test(request.system)) {
      this.titleStreams.push(stream)
      if (this.title !== undefined) stream.say(this.title).stop()
      return stream.events()
    }
    this.faults.push(...faultsOf(request))
    this.streams.push(stream)
    for (const waiter of this.#waiters) if (waiter.index === this.streams.length - 1) waiter.resolve(stream)
    return stream.events()
  }

  /** The nth request, made already or still to come. */
  async request(index: number): Promise<PuppetStream> {
    const stream = this.streams[index]
    if (stream !== undefined) return stream
    return new Promise((resolve) => {
      this.#waiters.push({ index, resolve })
    })
  }
}
