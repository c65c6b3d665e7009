import { type ModelEvent, type ModelRequest, ProviderUnavailable } from '../ports/provider.ts'
import { ParleyError } from '../protocol/errors.ts'
import { EventQueue } from './event-queue.ts'
import { SseParser } from './sse.ts'
import type { UpstreamBody } from './upstream-exchange.ts'

/** Bytes that may wait for the run before the socket is paused: some seconds of tokens (I7). */
const PAUSE_ABOVE_BYTES = 256 * 1024
/** Milliseconds that a whole answer's body may stay open before its connection is cut instead of kept for the next request. */
const LINGER_MS = 50
/** One for all: an error of its own would take its stack each time. */
const LEFT = new Error('the answer was left')

/** What an error that came inside a stream means. */
export type ToError = (error: object) => ParleyError

/** Makes the port's events from the data of one answer's events, in its API's words. */
export interface EventReader {
  /** True when it was the last one of a whole answer. Throws what ends the answer instead. */
  take(data: string, toError: ToError): boolean
  /** The body ended before a last event came. True when the answer is whole all the same. */
  ended(): boolean
}

/** Makes the reader of one answer; what it reads goes to `push`. */
export type MakeReader = (request: ModelRequest, push: (event: ModelEvent) => void) => EventReader

/** A success whose body has begun. */
export type Answer = {
  readonly body: UpstreamBody
  readonly toError: ToError
  /** Gives the place among the concurrent requests back. */
  readonly release: () => void
}

/** Sends the request, which it holds. Throws ParleyError; after an abort it may throw anything. */
export type Open = (signal: AbortSignal) => Promise<Answer>

/**
 * One answer as events. Nothing is sent before the first `next`. Everything that ends it goes through `#finish`, once; an
 * abort, a reader that leaves and a broken stream also end the upstream request, in whichever phase it is.
 */
export class UpstreamStream implements AsyncIterableIterator<readonly ModelEvent[], undefined> {
  /** Until it is called: the request is as long as the conversation, and its answer streams for long. */
  #open: Open | undefined
  readonly #signal: AbortSignal
  /** Ends the request before its headers are there; after that, leaving the body does. */
  readonly #upstream = new AbortController()
  readonly #queue = new EventQueue<ModelEvent>(() => this.#goOn())
  readonly #reader: EventReader
  #waitingBytes = 0
  #paused = false
  #lingering: NodeJS.Timeout | undefined
  #answer: Answer | undefined

  constructor(open: Open, makeReader: MakeReader, request: ModelRequest, signal: AbortSignal) {
    this.#open = open
    this.#signal = signal
    this.#reader = makeReader(request, (event) => this.#queue.push(event))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<readonly ModelEvent[], undefined>> {
    const open = this.#open
    if (open !== undefined) {
      this.#open = undefined
      void this.#start(open)
    }
    return this.#queue.next()
  }

  return(): Promise<IteratorResult<readonly ModelEvent[], undefined>> {
    this.#queue.clear()
    this.#cut({})
    return Promise.resolve({ value: undefined, done: true })
  }

  /** Never rejects: what goes wrong reaches the reader through the queue. */
  async #start(open: Open): Promise<void> {
    if (this.#signal.aborted) this.#onAbort()
    if (this.#queue.ended) return
    this.#signal.addEventListener('abort', this.#onAbort)
    try {
      const answer = await open(this.#upstream.signal)
      if (this.#queue.ended) return leave(answer)
      this.#answer = answer
      this.#read(answer)
    } catch (error) {
      this.#cut({ error })
    }
  }

  #read({ body, toError }: Answer): void {
    const parser = new SseParser((data) => this.#take(data, toError))
    body.read({
      chunk: (bytes) => this.#chunk(bytes, parser, body),
      ended: (error) => {
        clearTimeout(this.#lingering)
        this.#end(error, parser)
      },
    })
  }

  #chunk(bytes: Buffer, parser: SseParser, body: UpstreamBody): void {
    if (this.#queue.ended) return
    try {
      parser.read(bytes)
    } catch (error) {
      this.#cut({ error: toProviderError(error) })
    }
    this.#waitingBytes = this.#queue.empty ? 0 : this.#waitingBytes + bytes.length
    if (this.#waitingBytes <= PAUSE_ABOVE_BYTES || this.#queue.ended) return
    this.#paused = true
    body.pause()
  }

  #take(data: string, toError: ToError): void {
    if (!this.#queue.ended && this.#reader.take(data, toError)) this.#complete()
  }

  /** Only its API's own last word says that an answer is whole; one that was cut before is nobody's fault but the network's. */
  #end(error: Error | undefined, parser: SseParser): void {
    if (this.#queue.ended) return
    const cause = error ?? new Error('the answer was cut')
    try {
      if (error === undefined) readLast(parser)
      if (this.#queue.ended) return
      if (this.#reader.ended()) this.#finish({})
      else this.#cut({ error: new ProviderUnavailable('provider_error', { cause }) })
    } catch (error) {
      this.#cut({ error: toProviderError(error) })
    }
  }

  #goOn(): void {
    this.#waitingBytes = 0
    if (!this.#paused) return
    this.#paused = false
    this.#answer?.body.resume()
  }

  /** The answer is whole. Its connection can carry the next request once the body has ended: that may take a moment. */
  #complete(): void {
    const body = this.#answer?.body
    this.#finish({})
    this.#lingering = setTimeout(() => body?.leave(), LINGER_MS).unref()
  }

  readonly #onAbort = (): void => {
    this.#queue.clear()
    this.#cut({ error: this.#signal.reason })
  }

  #cut(end: { readonly error?: unknown }): void {
    if (this.#queue.ended) return
    const body = this.#answer?.body
    this.#finish(end)
    // With a body the signal would not do: once its response is collected, the SDK lets go of what an abort must reach.
    if (body === undefined) this.#upstream.abort(LEFT)
    else body.leave()
  }

  /**
   * The SDK keeps the controller of a request until its response is collected. An aborted one holds the stack of its abort,
   * and that this stream and its run: so nothing here may hold the response, else all of them stay for good.
   */
  #finish(end: { readonly error?: unknown }): void {
    this.#queue.end(end)
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#answer?.release()
    this.#answer = undefined
  }
}

/** What is not JSON was cut off by the end. */
function readLast(parser: SseParser): void {
  try {
    parser.end()
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
  }
}

/** It came after whoever asked was gone. */
function leave({ body, release }: Answer): void {
  body.leave()
  release()
}

/** V8 quotes the text that is not JSON in its error's message: that one stays behind (I11). */
function toProviderError(thrown: unknown): ParleyError {
  if (thrown instanceof ParleyError) return thrown
  const cause = thrown instanceof SyntaxError ? new Error('an event is not JSON') : thrown
  return new ParleyError('provider_error', { cause })
}
