import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import { httpError, type Reply, stream } from '../support/messages-api.ts'
import {
  blockSteps,
  type ErrorType,
  errorEvent,
  event,
  messageStart,
  type Step,
  text,
} from '../support/messages-api-events.ts'
import { fail } from './anthropic-failures.ts'
import { subjectOf } from './anthropic-subject.ts'
import { SECRET, shown } from './shown.ts'

describe('an answer of the API that is an error', () => {
  test.each<[number, ErrorCode]>([
    [400, 'provider_error'],
    [401, 'provider_misconfigured'],
    [403, 'provider_misconfigured'],
    [404, 'provider_misconfigured'],
    [413, 'context_too_long'],
    [422, 'provider_error'],
    [429, 'provider_overloaded'],
    [500, 'provider_error'],
    [504, 'provider_error'],
    [529, 'provider_overloaded'],
  ])('with status %i is %s and shows nothing of its body (I11)', async (status, code) => {
    const { error } = await fail(await subjectOf(() => httpError(status, SECRET)))
    expect(error.code).toBe(code)
    expect(shown(error)).not.toContain(SECRET)
    expect(shown(error.cause)).toContain(`Anthropic answered with an error: ${status}`)
    expect(error.cause).toMatchObject({
      status,
      kind: expect.stringMatching(/_error$|^request_too_large$/),
      requestId: expect.stringContaining('req_stub'),
    })
  })

  test.each([503, 529, 429])('with status %i is provider_overloaded even without the API’s body', async (status) => {
    const page: Reply = { reply: 'raw', status, contentType: 'text/html', body: `<h1>${SECRET}</h1>` }
    const { error } = await fail(await subjectOf(() => page))
    expect(error).toMatchObject({ code: 'provider_overloaded', retryAfterMs: expect.any(Number) })
    expect(shown(error)).not.toContain(SECRET)
  })

  test('is read by its type before its status', async () => {
    const reply: Reply = { reply: 'error', status: 500, type: 'overloaded_error', message: SECRET }
    expect((await fail(await subjectOf(() => reply))).error.code).toBe('provider_overloaded')
  })

  test.each([
    'prompt is too long: 208310 tokens > 200000 maximum',
    'input length and `max_tokens` exceed context limit: 1 + 2 > 2',
  ])('says context_too_long for: %s', async (message) => {
    const { error } = await fail(await subjectOf(() => httpError(400, message)))
    expect(error.code).toBe('context_too_long')
    expect(shown(error)).not.toContain('maximum')
  })

  test('that a spent budget sends as 429 is provider_misconfigured and not asked again', async () => {
    const body = JSON.stringify({
      type: 'error',
      error: { type: 'rate_limit_error', message: SECRET, details: { error_code: 'enforced_spend_limit_reached' } },
    })
    const subject = await subjectOf(() => ({ reply: 'raw', status: 429, contentType: 'application/json', body }))
    expect((await fail(subject)).error.code).toBe('provider_misconfigured')
    expect(subject.api.requests).toHaveLength(1)
  })

  test('whose fields are not what they should be is still one of ours', async () => {
    const body = JSON.stringify({ type: 'error', error: { type: '__proto__', message: { a: SECRET }, details: 7 } })
    const subject = await subjectOf(() => ({ reply: 'raw', status: 418, contentType: 'application/json', body }))
    const { error } = await fail(subject)
    expect(error.code).toBe('provider_error')
    expect(shown(error)).not.toContain(SECRET)
  })
})

describe('an error event inside a stream', () => {
  test.each<[ErrorType, ErrorCode]>([
    ['overloaded_error', 'provider_overloaded'],
    ['rate_limit_error', 'provider_overloaded'],
    ['api_error', 'provider_error'],
    ['timeout_error', 'provider_error'],
    ['invalid_request_error', 'provider_error'],
    ['permission_error', 'provider_misconfigured'],
  ])('of type %s is %s, keeps what was said, and is not retried', async (type, code) => {
    const steps = [messageStart(), ...blockSteps(text('Half'), 0), errorEvent(type, SECRET)]
    const subject = await subjectOf(() => stream(steps))
    const { error, said } = await fail(subject)
    expect(error.code).toBe(code)
    expect(said).toBe('Half')
    expect(shown(error)).not.toContain(SECRET)
    expect(subject.api.requests).toHaveLength(1)
    await subject.api.requests[0]?.ended
  })

  test('that comes first is not retried either', async () => {
    const subject = await subjectOf(() => stream([errorEvent('overloaded_error', SECRET)]))
    expect((await fail(subject)).error.code).toBe('provider_overloaded')
    expect(subject.api.requests).toHaveLength(1)
  })
})

describe('a stream that breaks the rules', () => {
  const start = (index: number, type = 'text'): Step =>
    event({ type: 'content_block_start', index, content_block: { type, text: '', id: 'a', name: 'a', input: {} } })
  const delta = (index: number, value: Readonly<Record<string, unknown>>): Step =>
    event({ type: 'content_block_delta', index, delta: value })
  const stop = event({ type: 'message_stop' })

  test.each<[string, readonly Step[]]>([
    ['text outside a block', [delta(0, { type: 'text_delta', text: 'x' })]],
    ['thinking inside a text block', [start(0), delta(0, { type: 'thinking_delta', thinking: 'x' })]],
    ['arguments inside a text block', [start(0), delta(0, { type: 'input_json_delta', partial_json: '1' })]],
    ['text that is a number', [start(0), delta(0, { type: 'text_delta', text: 7 })]],
    ['arguments that are missing', [start(0, 'tool_use'), delta(0, { type: 'input_json_delta' })]],
    ['a block that is opened twice', [start(0), start(0)]],
    ['a block that is closed unopened', [event({ type: 'content_block_stop', index: 3 })]],
    ['a stop inside a block', [start(0), event({ type: 'message_delta', delta: { stop_reason: 'end_turn' } }), stop]],
    ['a stop without a reason', [stop]],
    ['a delta without its delta', [event({ type: 'content_block_delta', index: 0 })]],
    ['data that is not JSON', [{ step: 'send', bytes: `data: {"type": ${SECRET}\n\n`, token: false }]],
    ['data that is null', [{ step: 'send', bytes: 'data: null\n\n', token: false }]],
  ])('by %s is provider_error and ends the request', async (_, steps) => {
    const subject = await subjectOf([stream([messageStart(), ...steps, { step: 'hold' }])])
    const { error } = await fail(subject)
    expect(error.code).toBe('provider_error')
    expect(shown(error)).not.toContain(SECRET)
    expect(await subject.api.requests[0]?.ended).toBe('aborted')
  })
})
