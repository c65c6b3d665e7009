import { onTestFinished } from 'vitest'
import type { ModelEvent, ModelRequest, Provider } from '../../src/ports/provider.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { createOpenAi } from '../../src/providers/openai.ts'
import type { RetryPolicy } from '../../src/providers/upstream-provider.ts'
import { collect, failureOf, joined, requestOf } from '../contracts/provider.ts'
import { ChatApi } from '../support/chat-api.ts'
import type { Step } from '../support/messages-api-events.ts'
import { type StubScript, stream } from '../support/stub-server.ts'

/** Retries at once, so that tests wait for nothing. */
const EAGER: RetryPolicy = { maxRetries: 2, windowMs: 1000, backoffMs: 1 }

export type ChatSubject = { readonly api: ChatApi; readonly provider: Provider }

type Options = {
  readonly maxConcurrent?: number
  readonly retry?: RetryPolicy
  /** The key that the stub insists on and the provider has; `none`: neither has one. */
  readonly key?: string
}

/** The provider through the real SDK, against a stub that answers as `script` says; closed with the test. */
export async function chatSubjectOf(
  script: StubScript,
  { key = 'sk-test', ...rest }: Options = {},
): Promise<ChatSubject> {
  const keyed = key === 'none' ? undefined : key
  const api = await ChatApi.listen({ script, ...(keyed !== undefined && { key: keyed }) })
  onTestFinished(() => api.close())
  const provider = createOpenAi({
    ...(keyed !== undefined && { apiKey: keyed }),
    baseURL: api.baseURL,
    maxConcurrent: 10,
    retry: EAGER,
    ...rest,
  })
  return { api, provider }
}

/** All events of one answer that plays these steps. */
export async function playChat(steps: readonly Step[], more: Partial<ModelRequest> = {}): Promise<ModelEvent[]> {
  const { provider } = await chatSubjectOf([stream(steps)])
  return collect(provider.stream(requestOf('hi', more), new AbortController().signal))
}

/** The events of one answer. */
export async function askChat({ provider }: ChatSubject, more: Partial<ModelRequest> = {}): Promise<ModelEvent[]> {
  return collect(provider.stream(requestOf('hi', more), new AbortController().signal))
}

export async function failChat({ provider }: ChatSubject): Promise<{ error: ParleyError; said: string }> {
  const { events, error } = await failureOf(provider.stream(requestOf('hi'), new AbortController().signal))
  if (!(error instanceof ParleyError)) throw error
  return { error, said: joined(events) }
}
