import { describe, expect, test, vi } from 'vitest'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { createAnthropic } from '../../src/providers/anthropic.ts'
import { RETRY_POLICY } from '../../src/providers/upstream-provider.ts'
import { failureOf, joined, requestOf } from '../contracts/provider.ts'
import { httpError, type Reply, stream } from '../support/messages-api.ts'
import { messageStart } from '../support/messages-api-events.ts'
import { fail, GOOD } from './anthropic-failures.ts'
import { ask, EAGER, subjectOf } from './anthropic-subject.ts'
import { SECRET, shown } from './shown.ts'

describe('a request that was not answered', () => {
  test.each([408, 409, 429, 500, 502, 529])(
    'is sent again after status %i, and its answer is whole',
    async (status) => {
      const subject = await subjectOf([httpError(status, '', { 'retry-after-ms': '1' }), GOOD])
      expect(joined(await ask(subject))).toBe('Fine')
      expect(subject.api.requests).toHaveLength(2)
    },
  )

  test('is sent again when its connection was cut before a header', async () => {
    const subject = await subjectOf([{ reply: 'refuse' }, GOOD])
    expect(joined(await ask(subject))).toBe('Fine')
  })

  test('is sent at most three times', async () => {
    const subject = await subjectOf(() => httpError(500))
    await fail(subject)
    expect(subject.api.requests).toHaveLength(1 + RETRY_POLICY.maxRetries)
  })

  test.each([400, 401, 403, 404, 413, 422])('is not sent again after status %i', async (status) => {
    const subject = await subjectOf(() => httpError(status))
    await fail(subject)
    expect(subject.api.requests).toHaveLength(1)
  })

  test('is not sent again when the API says so', async () => {
    const subject = await subjectOf(() => httpError(500, '', { 'x-should-retry': 'false' }))
    await fail(subject)
    expect(subject.api.requests).toHaveLength(1)
  })

  test('is not sent again beyond the window, but the caller is told when', async () => {
    const subject = await subjectOf(() => httpError(429, '', { 'retry-after': '120' }))
    const { error } = await fail(subject)
    expect(error).toMatchObject({ code: 'provider_overloaded', retryAfterMs: 120_000 })
    expect(subject.api.requests).toHaveLength(1)
  })

  test('tells the wait of a Retry-After that is a date', async () => {
    const date = new Date(Date.now() + 600_000).toUTCString()
    const { error } = await fail(await subjectOf(() => httpError(529, '', { 'retry-after': date })))
    expect(error.retryAfterMs).toBeGreaterThan(590_000)
    expect(error.retryAfterMs).toBeLessThanOrEqual(600_000)
  })

  test.each(['soon', '-5', '0', ''])('tells a wait of its own when Retry-After is %j', async (header) => {
    const retry = { ...EAGER, maxRetries: 0 }
    const { error } = await fail(await subjectOf(() => httpError(529, '', { 'retry-after': header }), { retry }))
    expect(error.retryAfterMs).toBe(5000)
  })

  test('is not sent again once it was stopped while it waited', async () => {
    const subject = await subjectOf(() => httpError(529), {
      retry: { maxRetries: 2, windowMs: 60_000, backoffMs: 30_000 },
    })
    const controller = new AbortController()
    const failed = failureOf(subject.provider.stream(requestOf('hi'), controller.signal))
    await vi.waitFor(() => expect(subject.api.requests).toHaveLength(1))
    await subject.api.requests[0]?.ended
    controller.abort()
    await failed
    expect(subject.api.requests).toHaveLength(1)
  })

  test('is logged with its row and without its text', async () => {
    const log = vi.fn<Telemetry['log']>()
    const telemetry: Telemetry = { log, count: () => undefined, observe: () => undefined, gauge: () => undefined }
    const { api } = await subjectOf([httpError(529, SECRET, { 'retry-after-ms': '1' }), GOOD])
    const provider = createAnthropic({ apiKey: 'k', baseURL: api.url, maxConcurrent: 1, telemetry, retry: EAGER })
    await ask({ api, provider })
    expect(log).toHaveBeenCalledTimes(1)
    expect(log.mock.calls[0]?.slice(0, 3)).toEqual([
      'warn',
      'provider retry',
      { provider: 'anthropic', code: 'provider_overloaded' },
    ])
    expect(shown(log.mock.calls[0]?.[3])).not.toContain(SECRET)
  })

  test('is provider_error when nobody listens', async () => {
    const provider = createAnthropic({ apiKey: 'k', baseURL: 'http://127.0.0.1:1', maxConcurrent: 1, retry: EAGER })
    const { error } = await failureOf(provider.stream(requestOf('hi'), new AbortController().signal))
    expect(error).toMatchObject({ code: 'provider_error' })
  })
})

test('above the bound of requests at a time a caller is told to come back, and a place is free again after each end', async () => {
  const reply = (): Reply => stream([messageStart(), { step: 'hold' }])
  const subject = await subjectOf(reply, { maxConcurrent: 2 })
  const controllers = [new AbortController(), new AbortController()]
  const held = controllers.map(({ signal }) => failureOf(subject.provider.stream(requestOf('hi'), signal)))
  await vi.waitFor(() => expect(subject.api.requests).toHaveLength(2))
  expect((await fail(subject)).error).toMatchObject({ code: 'provider_overloaded', retryAfterMs: 5000 })
  expect(subject.api.requests).toHaveLength(2)
  for (const controller of controllers) controller.abort()
  await Promise.all(held)
  subject.api.script = () => GOOD
  for (let round = 0; round < 4; round += 1) expect(joined(await ask(subject))).toBe('Fine')
  subject.api.script = () => httpError(401)
  for (let round = 0; round < 4; round += 1) expect((await fail(subject)).error.code).toBe('provider_misconfigured')
})
