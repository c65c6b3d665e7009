import { describe, expect, test, vi } from 'vitest'
import { ProviderUnavailable } from '../../src/ports/provider.ts'
import { createOpenAi } from '../../src/providers/openai.ts'
import { RETRY_POLICY } from '../../src/providers/upstream-provider.ts'
import { CALCULATOR, failureOf, joined, requestOf } from '../contracts/provider.ts'
import { chatError } from '../support/chat-api.ts'
import { chatAnswer, opened, says } from '../support/chat-api-events.ts'
import { type StubReply, stream } from '../support/stub-server.ts'
import { askChat, chatSubjectOf, failChat } from './openai-subject.ts'

const GOOD: StubReply = stream(chatAnswer([says('Fine')]))
const SOON = { headers: { 'retry-after-ms': '1' } }

describe('a request that was not answered', () => {
  test.each([408, 409, 429, 500, 502, 503])(
    'is sent again after status %i, and its answer is whole',
    async (status) => {
      const subject = await chatSubjectOf([chatError(status, '', SOON), GOOD])
      expect(joined(await askChat(subject))).toBe('Fine')
      expect(subject.api.requests).toHaveLength(2)
    },
  )

  test('is sent again when its connection was cut before a header', async () => {
    const subject = await chatSubjectOf([{ reply: 'refuse' }, GOOD])
    expect(joined(await askChat(subject))).toBe('Fine')
  })

  test('is sent at most three times', async () => {
    const subject = await chatSubjectOf(() => chatError(500))
    await failChat(subject)
    expect(subject.api.requests).toHaveLength(1 + RETRY_POLICY.maxRetries)
  })

  test.each([400, 401, 403, 404, 413, 422])('is not sent again after status %i', async (status) => {
    const subject = await chatSubjectOf(() => chatError(status))
    await failChat(subject)
    expect(subject.api.requests).toHaveLength(1)
  })

  test('is not sent again beyond the window, but the caller is told when', async () => {
    const subject = await chatSubjectOf(() => chatError(429, '', { headers: { 'retry-after': '120' } }))
    const { error } = await failChat(subject)
    expect(error).toMatchObject({ code: 'provider_overloaded', retryAfterMs: 120_000 })
    expect(subject.api.requests).toHaveLength(1)
  })

  test.each([429, 503])('is not sent again after status %i while another provider stands by', async (status) => {
    const subject = await chatSubjectOf([chatError(status, '', SOON), GOOD])
    const request = requestOf('hi', { standby: true })
    const { error } = await failureOf(subject.provider.stream(request, new AbortController().signal))
    expect(error).toBeInstanceOf(ProviderUnavailable)
    expect(subject.api.requests).toHaveLength(1)
  })

  test('is sent again after a failure, also while another provider stands by', async () => {
    const subject = await chatSubjectOf([chatError(500), GOOD])
    expect(joined(await askChat(subject, { standby: true }))).toBe('Fine')
  })

  test('is never sent again once its answer has begun', async () => {
    for (const said of [[], [says('Half')]]) {
      const subject = await chatSubjectOf([stream([...opened(said), { step: 'cut' }]), GOOD])
      const { error } = await failChat(subject)
      expect(error).toMatchObject({ code: 'provider_error' })
      expect(subject.api.requests).toHaveLength(1)
    }
  })

  test('is unavailable when nobody listens', async () => {
    const retry = { maxRetries: 1, windowMs: 1000, backoffMs: 1 }
    const provider = createOpenAi({ baseURL: 'http://127.0.0.1:1/v1', maxConcurrent: 1, retry })
    const { error } = await failureOf(provider.stream(requestOf('hi'), new AbortController().signal))
    expect(error).toBeInstanceOf(ProviderUnavailable)
    expect(error).toMatchObject({ code: 'provider_error' })
  })
})

test('above the bound of requests at a time a caller is told to come back, and a place is free again after each end', async () => {
  const subject = await chatSubjectOf(() => stream([...opened([]), { step: 'hold' }]), { maxConcurrent: 1 })
  const controller = new AbortController()
  const held = failureOf(subject.provider.stream(requestOf('hi'), controller.signal))
  await vi.waitFor(() => expect(subject.api.requests).toHaveLength(1))
  expect((await failChat(subject)).error).toMatchObject({ code: 'provider_overloaded', retryAfterMs: 5000 })
  controller.abort()
  await held
  subject.api.script = () => GOOD
  expect(joined(await askChat(subject))).toBe('Fine')
})

describe('a model that has to be asked in its own way', () => {
  /** Refuses `max_tokens`, and tools beside reasoning, as OpenAI's newest models do. */
  function picky({ body }: { readonly body: Readonly<Record<string, unknown>> }): StubReply {
    const refuse = (param: string, code?: string): StubReply => chatError(400, 'no', { param, ...(code && { code }) })
    if ('max_tokens' in body) return refuse('max_tokens', 'unsupported_parameter')
    if ('tools' in body && body['reasoning_effort'] !== 'none') return refuse('reasoning_effort')
    return GOOD
  }

  test('is learned from its refusals, once', async () => {
    const subject = await chatSubjectOf(picky)
    expect(joined(await askChat(subject))).toBe('Fine')
    expect(subject.api.requests).toHaveLength(3)
    expect(joined(await askChat(subject))).toBe('Fine')
    expect(subject.api.requests).toHaveLength(4)
    expect(subject.api.requests.at(-1)?.body).toMatchObject({ max_completion_tokens: 8192, reasoning_effort: 'none' })
  })

  test('is asked to reason where there are no tools', async () => {
    const subject = await chatSubjectOf(picky)
    await askChat(subject)
    await askChat(subject, { tools: [] })
    expect(subject.api.requests.at(-1)?.body).not.toHaveProperty('reasoning_effort')
  })

  test('leaves the others as they are', async () => {
    const subject = await chatSubjectOf(picky)
    await askChat(subject)
    subject.api.script = () => GOOD
    await askChat(subject, { model: 'other', tools: [CALCULATOR] })
    expect(subject.api.requests.at(-1)?.body).toMatchObject({ max_tokens: 8192 })
  })

  test('is not asked for ever when it refuses everything', async () => {
    const refusal = chatError(400, 'no', { param: 'max_tokens', code: 'unsupported_parameter' })
    const subject = await chatSubjectOf(() => refusal)
    expect((await failChat(subject)).error.code).toBe('provider_error')
    expect(subject.api.requests.length).toBeLessThanOrEqual(3)
  })
})
