import { setTimeout as sleep } from 'node:timers/promises'
import type * as AnthropicModule from '@anthropic-ai/sdk'
import type { MessageCreateParamsStreaming } from '@anthropic-ai/sdk/resources/messages'
import type { ModelEvent, ModelRequest, Provider } from '../ports/provider.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { ParleyError } from '../protocol/errors.ts'
import { type Fault, toFault } from './anthropic-errors.ts'
import { ANTHROPIC, toRequestBody } from './anthropic-messages.ts'
import { type Answer, AnthropicStream } from './anthropic-stream.ts'
import { createUpstreamFetch, type UpstreamFetch } from './upstream-fetch.ts'

const DEFAULT_BASE_URL = 'https://api.anthropic.com'

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

export type AnthropicOptions = {
  readonly apiKey: string
  readonly baseURL?: string
  /** Requests at a time; above, `provider_overloaded`. The HTTP client below has no bound of its own. */
  readonly maxConcurrent: number
  readonly telemetry?: Telemetry
  readonly retry?: RetryPolicy
}

type Sdk = {
  readonly module: typeof AnthropicModule
  readonly client: AnthropicModule.Anthropic
  readonly bodyOf: UpstreamFetch['bodyOf']
}

export function createAnthropic(options: AnthropicOptions): Provider {
  return new AnthropicProvider(options)
}

class AnthropicProvider implements Provider {
  readonly name = ANTHROPIC
  readonly #options: AnthropicOptions
  #sdk: Promise<Sdk> | undefined
  #active = 0

  constructor(options: AnthropicOptions) {
    this.#options = options
  }

  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<readonly ModelEvent[]> {
    return new AnthropicStream((upstream) => this.#open(request, upstream), request.model, signal)
  }

  async #open(request: ModelRequest, signal: AbortSignal): Promise<Answer> {
    if (this.#active >= this.#options.maxConcurrent)
      throw new ParleyError('provider_overloaded', { retryAfterMs: BUSY_RETRY_MS })
    this.#active += 1
    const release = (): void => void (this.#active -= 1)
    try {
      this.#sdk ??= connect(this.#options)
      const sdk = await this.#sdk
      const response = await this.#send(sdk, toRequestBody(request), signal)
      const body = sdk.bodyOf(response)
      if (body === undefined) throw new ParleyError('provider_error', { cause: new Error('an answer without a body') })
      // Not the response: see `#finish` of AnthropicStream.
      const { headers } = response
      const toError = (event: object): ParleyError =>
        toFault(new sdk.module.APIError(undefined, event, undefined, headers), Date.now()).error
      return { body, toError, release }
    } catch (thrown) {
      release()
      throw thrown
    }
  }

  /** Resolves with a success; asks again within the policy until then. */
  async #send(sdk: Sdk, body: MessageCreateParamsStreaming, signal: AbortSignal): Promise<Response> {
    const { maxRetries, windowMs, backoffMs } = this.#options.retry ?? RETRY_POLICY
    const started = Date.now()
    for (let retries = 0; ; retries += 1) {
      signal.throwIfAborted()
      try {
        // The SDK's own retries obey any Retry-After, however long: ours end with the window.
        return await sdk.client.messages.create(body, { signal, maxRetries: 0 }).asResponse()
      } catch (thrown) {
        const { error, retry } = readFailure(sdk, thrown)
        const wait = Math.max(error.retryAfterMs ?? 0, backoffMs * 2 ** retries * (1 - JITTER * Math.random()))
        if (signal.aborted || !retry || retries >= maxRetries || Date.now() + wait - started > windowMs) throw error
        this.#options.telemetry?.log('warn', 'provider retry', { provider: ANTHROPIC, code: error.code }, error.cause)
        await sleep(wait, undefined, { signal })
      }
    }
  }
}

/** What the SDK throws for a request that was not answered with a success. */
function readFailure({ module }: Sdk, thrown: unknown): Fault {
  const unreached = thrown instanceof module.APIConnectionError
  if (thrown instanceof module.APIError && !unreached) return toFault(thrown, Date.now())
  return { error: new ParleyError('provider_error', { cause: thrown }), retry: unreached }
}

/**
 * The SDK takes 0.3 s to load, so only who needs it waits for it. What it would read of the environment
 * (key, address, log, traces) is given or turned off; its log would hold message text.
 */
async function connect({ apiKey, baseURL }: AnthropicOptions): Promise<Sdk> {
  const [module, { fetch, bodyOf }] = await Promise.all([import('@anthropic-ai/sdk'), createUpstreamFetch()])
  const client = new module.Anthropic({
    apiKey,
    baseURL: baseURL ?? DEFAULT_BASE_URL,
    fetch,
    webhookKey: null,
    logLevel: 'off',
    openTelemetry: false,
  })
  return { client, module, bodyOf }
}
