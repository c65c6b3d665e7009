import { onTestFinished } from 'vitest'
import type { ModelEvent, ModelRequest, Provider } from '../../src/ports/provider.ts'
import { createAnthropic } from '../../src/providers/anthropic.ts'
import type { RetryPolicy } from '../../src/providers/upstream-provider.ts'
import { collect, requestOf } from '../contracts/provider.ts'
import { MessagesApi, type Script, stream } from '../support/messages-api.ts'
import type { Step } from '../support/messages-api-events.ts'

/** Retries at once, so that tests wait for nothing. */
export const EAGER: RetryPolicy = { maxRetries: 2, windowMs: 1000, backoffMs: 1 }

export type Subject = { readonly api: MessagesApi; readonly provider: Provider }

/** The provider through the real SDK, against a stub that answers as `script` says; closed with the test. */
export async function subjectOf(
  script: Script,
  options: { readonly maxConcurrent?: number; readonly retry?: RetryPolicy; readonly key?: string } = {},
): Promise<Subject> {
  const { key, ...rest } = options
  const api = await MessagesApi.listen({ script, ...(key !== undefined && { key }) })
  onTestFinished(() => api.close())
  const provider = createAnthropic({
    apiKey: 'sk-ant-test',
    baseURL: api.url,
    maxConcurrent: 10,
    retry: EAGER,
    ...rest,
  })
  return { api, provider }
}

/** All events of one answer that plays these steps. */
export async function play(steps: readonly Step[], more: Partial<ModelRequest> = {}): Promise<ModelEvent[]> {
  const { provider } = await subjectOf([stream(steps)])
  return collect(provider.stream(requestOf('hi', more), new AbortController().signal))
}

/** An answer of one reply. */
export async function ask({ provider }: Subject, signal = new AbortController().signal): Promise<ModelEvent[]> {
  return collect(provider.stream(requestOf('hi'), signal))
}
