import type { Anthropic } from '@anthropic-ai/sdk'
import type { ModelRequest, Provider } from '../ports/provider.ts'
import { readAnthropicError } from './anthropic-errors.ts'
import { ANTHROPIC, toRequestBody } from './anthropic-messages.ts'
import { AnthropicReader } from './anthropic-reader.ts'
import { createUpstreamFetch } from './upstream-fetch.ts'
import { type UpstreamApi, type UpstreamOptions, UpstreamProvider } from './upstream-provider.ts'
import type { MakeReader } from './upstream-stream.ts'

const DEFAULT_BASE_URL = 'https://api.anthropic.com'

export type AnthropicOptions = UpstreamOptions & {
  /** Absent: each request brings one. */
  readonly apiKey?: string
  readonly baseURL?: string
}

export function createAnthropic(options: AnthropicOptions): Provider {
  const ownKey = options.apiKey === undefined ? 'must' : 'may'
  const load = (): Promise<UpstreamApi> => connect(options)
  const makeReader: MakeReader = (request, push) => new AnthropicReader(request, push)
  const provider = new UpstreamProvider({ name: ANTHROPIC, ownKey, connect: load, makeReader }, options)
  return ownKey === 'may' ? provider.prepare() : provider
}

/**
 * The SDK takes 0.3 s to load: with a key of the operator it does so while the server starts, else with the first request. What it would
 * read of the environment (key, address, log, traces) is given or turned off; its log would hold message text.
 */
async function connect({ apiKey, baseURL }: AnthropicOptions): Promise<UpstreamApi> {
  const [module, { fetch, bodyOf }] = await Promise.all([import('@anthropic-ai/sdk'), createUpstreamFetch()])
  const { Anthropic: Client, APIConnectionError, APIError } = module
  const client = new Client({
    apiKey: apiKey ?? null,
    baseURL: baseURL ?? DEFAULT_BASE_URL,
    fetch,
    webhookKey: null,
    logLevel: 'off',
    openTelemetry: false,
  })
  return {
    // The SDK's own retries obey any Retry-After, however long: ours end with the window.
    send: (request, signal) =>
      withKey(client, request).messages.create(toRequestBody(request), { signal, maxRetries: 0 }).asResponse(),
    bodyOf,
    isUnreached: (thrown) => thrown instanceof APIConnectionError,
    readError: (thrown) => (thrown instanceof APIError ? readAnthropicError(thrown, Date.now()) : undefined),
    readEvent: (event, headers) =>
      readAnthropicError(new APIError(undefined, event, undefined, headers), Date.now()).error,
  }
}

/** A client as the given one, with the key that the request brings. */
function withKey(client: Anthropic, { apiKey }: ModelRequest): Anthropic {
  return apiKey === undefined ? client : client.withOptions({ apiKey })
}
