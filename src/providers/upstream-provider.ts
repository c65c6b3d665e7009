import { setTimeout as sleep } from 'node:timers/promises'
import { type ModelEvent, type ModelRequest, type Provider, ProviderUnavailable } from '../ports/provider.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Fault } from './upstream-errors.ts'
import type { UpstreamFetch } from './upstream-fetch.ts'
import { type Answer, type MakeReader, UpstreamStream } from './upstream-stream.ts'

/** Milliseconds after which a caller that found no free place may try again: about the length of a short answer. */
const BUSY_RETRY_MS = 5000

/** How a request that the API has not begun to answer is asked again. */
export type RetryPolicy = {
  /** Requests beyond the first. */
  readonly maxRetries: number
  /** Milliseconds after the start at which the last one may begin; a longer wait that the API asks for is told instead. */
  readonly windowMs: number
  /** Milliseconds before the first retry, doubling; up to a quarter less, so that many don't come back at once. */
  readonly backoffMs: number
}

/** A person waits: two more tries within the time in which the answer is still wanted. */
export const RETRY_POLICY: RetryPolicy = { maxRetries: 2, windowMs: 15_000, backoffMs: 500 }
const JITTER = 0.25

export type UpstreamOptions = {
  /** Requests at a time; above, `provider_overloaded`. The HTTP client below has no bound of its own. */
  readonly maxConcurrent: number
  readonly telemetry?: Telemetry
  readonly retry?: RetryPolicy
}

/** One API, ready to be asked. */
export type UpstreamApi = {
  /** Sends once; resolves with a success. */
  readonly send: (request: ModelRequest, signal: AbortSignal) => Promise<Response>
  readonly bodyOf: UpstreamFetch['bodyOf']
  /** What was thrown for an answer that is an error; undefined when it is no such thing. */
  readonly readError: (thrown: unknown) => Fault | undefined
  /** True for what is thrown when there was no answer at all. */
  readonly isUnreached: (thrown: unknown) => boolean
  /** What an error inside a stream means, beside the headers that its stream began with. */
  readonly readEvent: (error: object, headers: Headers) => ParleyError
}

/** What tells one API from the others. */
type UpstreamParts = {
  readonly name: string
  readonly ownKey: 'may' | 'must'
  /** Loads the SDK. */
  readonly connect: () => Promise<UpstreamApi>
  readonly makeReader: MakeReader
}

/** A provider behind HTTP: how many requests at a time, asking again, and the stream. */
export class UpstreamProvider implements Provider {
  readonly name: string
  readonly ownKey: 'may' | 'must'
  readonly #parts: UpstreamParts
  readonly #options: UpstreamOptions
  #api: Promise<UpstreamApi> | undefined
  #active = 0

  constructor(parts: UpstreamParts, options: UpstreamOptions) {
    this.name = parts.name
    this.ownKey = parts.ownKey
    this.#parts = parts
    this.#options = options
  }

  /** Begins with what the first request would wait for. */
  prepare(): this {
    // What is wrong is told to the request.
    this.#connected().catch(() => undefined)
    return this
  }

  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<readonly ModelEvent[]> {
    const open = (upstream: AbortSignal): Promise<Answer> => this.#open(request, upstream)
    return new UpstreamStream(open, this.#parts.makeReader, request, signal)
  }

  async #open(request: ModelRequest, signal: AbortSignal): Promise<Answer> {
    if (this.#active >= this.#options.maxConcurrent)
      throw new ProviderUnavailable('provider_overloaded', { retryAfterMs: BUSY_RETRY_MS })
    this.#active += 1
    const release = (): void => void (this.#active -= 1)
    try {
      const api = await this.#connected()
      const response = await this.#send(api, request, signal)
      const body = api.bodyOf(response)
      if (body === undefined) throw new ParleyError('provider_error', { cause: new Error('an answer without a body') })
      // Not the response: see `#finish` of UpstreamStream.
      const { headers } = response
      return { body, toError: (error) => api.readEvent(error, headers), release }
    } catch (thrown) {
      release()
      throw thrown
    }
  }

  #connected(): Promise<UpstreamApi> {
    return (this.#api ??= this.#parts.connect())
  }

  /** Resolves with a success; asks again within the policy until then. */
  async #send(api: UpstreamApi, request: ModelRequest, signal: AbortSignal): Promise<Response> {
    const { maxRetries, windowMs, backoffMs } = this.#options.retry ?? RETRY_POLICY
    const started = Date.now()
    for (let retries = 0; ; retries += 1) {
      signal.throwIfAborted()
      try {
        return await api.send(request, signal)
      } catch (thrown) {
        const { error, retry } = readFailure(api, thrown)
        const wait = Math.max(error.retryAfterMs ?? 0, backoffMs * 2 ** retries * (1 - JITTER * Math.random()))
        const wanted = retry && !(request.standby === true && error.code === 'provider_overloaded')
        if (signal.aborted || !wanted || retries >= maxRetries || Date.now() + wait - started > windowMs) throw error
        this.#options.telemetry?.log('warn', 'provider retry', { provider: this.name, code: error.code }, error.cause)
        await sleep(wait, undefined, { signal })
      }
    }
  }
}

/** What an SDK throws for a request that was not answered with a success. */
function readFailure(api: UpstreamApi, thrown: unknown): Fault {
  if (api.isUnreached(thrown))
    return { error: new ProviderUnavailable('provider_error', { cause: thrown }), retry: true }
  return api.readError(thrown) ?? { error: new ParleyError('provider_error', { cause: thrown }), retry: false }
}
