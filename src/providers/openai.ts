import type { APIError, OpenAI } from 'openai'
import type { ModelRequest, Provider } from '../ports/provider.ts'
import { Dialects } from './openai-dialects.ts'
import { readOpenAiError } from './openai-errors.ts'
import { toRequestBody } from './openai-messages.ts'
import { OpenAiReader } from './openai-reader.ts'
import { OPENAI } from './openai-thoughts.ts'
import { createUpstreamFetch } from './upstream-fetch.ts'
import { type UpstreamApi, type UpstreamOptions, UpstreamProvider } from './upstream-provider.ts'
import type { MakeReader } from './upstream-stream.ts'

const DEFAULT_BASE_URL = 'https://api.openai.com/v1'
/** The SDK insists on a key; where there is none, the header that would carry it is left out. */
const NO_KEY = { apiKey: 'none', defaultHeaders: { Authorization: null } } as const

export type OpenAiOptions = UpstreamOptions & {
  /** Absent: nothing is sent, as servers of one's own want it; OpenAI's own is then asked with keys of people only. */
  readonly apiKey?: string
  /** Up to and with the `/v1`. Absent: OpenAI's own. */
  readonly baseURL?: string
}

/** Every server that speaks Chat Completions: OpenAI, vLLM, llama.cpp, Ollama, gateways. */
export function createOpenAi(options: OpenAiOptions): Provider {
  const ownKey = options.apiKey === undefined && options.baseURL === undefined ? 'must' : 'may'
  const load = (): Promise<UpstreamApi> => connect(options)
  const makeReader: MakeReader = (request, push) => new OpenAiReader(request, push)
  const provider = new UpstreamProvider({ name: OPENAI, ownKey, connect: load, makeReader }, options)
  return ownKey === 'may' ? provider.prepare() : provider
}

/**
 * The SDK takes a while to load: where the operator has a key or a server, while Parley starts, else with the first request. What it would read of the environment (keys, address,
 * organization, project, log) is given or turned off; its log would hold message text.
 */
async function connect({ apiKey, baseURL }: OpenAiOptions): Promise<UpstreamApi> {
  const [module, { fetch, bodyOf }] = await Promise.all([import('openai'), createUpstreamFetch()])
  const { OpenAI: Client, APIConnectionError, APIError: ErrorOfApi } = module
  const client = new Client({
    ...(apiKey === undefined ? NO_KEY : { apiKey }),
    baseURL: baseURL ?? DEFAULT_BASE_URL,
    fetch,
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    logLevel: 'off',
  })
  const dialects = new Dialects(baseURL === undefined)
  const isUnreached = (thrown: unknown): boolean => thrown instanceof APIConnectionError
  const isError = (thrown: unknown): thrown is APIError => thrown instanceof ErrorOfApi && !isUnreached(thrown)
  return {
    send: (request, signal) =>
      dialects.speak(
        request.model,
        // The SDK's own retries obey any Retry-After, however long: ours end with the window.
        (dialect) =>
          withKey(client, request)
            .chat.completions.create(toRequestBody(request, dialect), { signal, maxRetries: 0 })
            .asResponse(),
        isError,
      ),
    bodyOf,
    isUnreached,
    readError: (thrown) => (isError(thrown) ? readOpenAiError(thrown, Date.now()) : undefined),
    readEvent: (error, headers) =>
      readOpenAiError(new ErrorOfApi(undefined, error, undefined, headers), Date.now()).error,
  }
}

/** A client as the given one, with the key that the request brings. */
function withKey(client: OpenAI, { apiKey }: ModelRequest): OpenAI {
  return apiKey === undefined ? client : client.withOptions({ apiKey, defaultHeaders: {} })
}
