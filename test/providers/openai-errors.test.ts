import { describe, expect, test } from 'vitest'
import { ProviderUnavailable } from '../../src/ports/provider.ts'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import { chatError } from '../support/chat-api.ts'
import { callDelta, chunk, DONE, data, errorData, finish, opened, says } from '../support/chat-api-events.ts'
import type { Step } from '../support/messages-api-events.ts'
import { type StubReply, stream } from '../support/stub-server.ts'
import { chatSubjectOf, failChat } from './openai-subject.ts'
import { SECRET, shown } from './shown.ts'

describe('an answer of the API that is an error', () => {
  test.each<[number, ErrorCode, boolean]>([
    [400, 'provider_error', false],
    [401, 'provider_misconfigured', false],
    [403, 'provider_misconfigured', false],
    [404, 'provider_misconfigured', false],
    [413, 'context_too_long', false],
    [422, 'provider_error', false],
    [429, 'provider_overloaded', true],
    [500, 'provider_error', true],
    [502, 'provider_error', true],
    [503, 'provider_overloaded', true],
    [504, 'provider_error', true],
    [529, 'provider_overloaded', true],
  ])('with status %i is %s and shows nothing of its body (I11)', async (status, code, unavailable) => {
    const { error } = await failChat(await chatSubjectOf(() => chatError(status, SECRET)))
    expect(error.code).toBe(code)
    expect(error instanceof ProviderUnavailable).toBe(unavailable)
    expect(shown(error)).not.toContain(SECRET)
    expect(shown(error.cause)).toContain(`The Chat Completions API answered with an error: ${status}`)
    expect(error.cause).toMatchObject({ status, requestId: expect.stringContaining('req_stub') })
  })

  test.each([503, 429])('with status %i is provider_overloaded even without the API’s body', async (status) => {
    const page: StubReply = { reply: 'raw', status, contentType: 'text/html', body: `<h1>${SECRET}</h1>` }
    const { error } = await failChat(await chatSubjectOf(() => page))
    expect(error).toMatchObject({ code: 'provider_overloaded', retryAfterMs: expect.any(Number) })
    expect(shown(error)).not.toContain(SECRET)
  })

  test.each<[number, Parameters<typeof chatError>[2], ErrorCode]>([
    [429, { code: 'insufficient_quota', type: 'insufficient_quota' }, 'provider_misconfigured'],
    [429, { code: 'rate_limit_exceeded', type: 'tokens' }, 'provider_overloaded'],
    [400, { code: 'context_length_exceeded' }, 'context_too_long'],
    [400, { code: 400, type: 'exceed_context_size_error' }, 'context_too_long'],
    [400, { code: 'content_filter' }, 'model_refusal'],
    [404, { code: 'model_not_found' }, 'provider_misconfigured'],
    [500, { code: 503, type: 'unavailable_error' }, 'provider_overloaded'],
  ])('with status %i and %j is %s', async (status, words, code) => {
    const { error } = await failChat(await chatSubjectOf(() => chatError(status, SECRET, words)))
    expect(error.code).toBe(code)
    expect(shown(error)).not.toContain(SECRET)
  })

  test.each([
    "This model's maximum context length is 8192 tokens. However, you requested 8200 tokens.",
    'the request exceeds the available context size, try increasing it',
  ])('says context_too_long for: %s', async (message) => {
    const { error } = await failChat(await chatSubjectOf(() => chatError(400, message, { code: 400 })))
    expect(error.code).toBe('context_too_long')
    expect(shown(error)).not.toContain('tokens.')
  })

  test('that no waiting helps against is not asked again', async () => {
    const subject = await chatSubjectOf(() => chatError(429, SECRET, { code: 'insufficient_quota' }))
    await failChat(subject)
    expect(subject.api.requests).toHaveLength(1)
  })

  test.each([
    '{"error": "model not found"}',
    `{"error": {"type": "__proto__", "message": {"a": "${SECRET}"}, "code": [7]}}`,
    `{"detail": "${SECRET}"}`,
    '[]',
    'null',
  ])('whose body is %s is still one of ours', async (body) => {
    const reply: StubReply = { reply: 'raw', status: 418, contentType: 'application/json', body }
    const { error } = await failChat(await chatSubjectOf(() => reply))
    expect(error.code).toBe('provider_error')
    expect(shown(error)).not.toContain(SECRET)
  })

  test('in the place of a stream is provider_error', async () => {
    const reply: StubReply = { reply: 'raw', status: 200, contentType: 'text/html', body: `<h1>${SECRET}</h1>` }
    const { error } = await failChat(await chatSubjectOf(() => reply))
    expect(error.code).toBe('provider_error')
    expect(shown(error)).not.toContain(SECRET)
  })
})

describe('an error inside a stream', () => {
  test.each<[unknown, ErrorCode, boolean]>([
    [{ type: 'server_error', message: SECRET }, 'provider_error', true],
    [{ type: 'tokens', code: 'rate_limit_exceeded', message: SECRET }, 'provider_overloaded', true],
    [{ code: 502, message: SECRET }, 'provider_error', true],
    [{ code: 429, message: SECRET }, 'provider_overloaded', true],
    [{ type: 'InternalServerError', code: 500, message: SECRET }, 'provider_error', true],
    [{ type: 'BadRequestError', code: 400, message: `maximum context length: ${SECRET}` }, 'context_too_long', false],
    [{ type: 'invalid_request_error', message: SECRET }, 'provider_error', false],
    [SECRET, 'provider_error', false],
  ])('such as %j is %s, keeps what was said, and is not retried', async (body, code, unavailable) => {
    const subject = await chatSubjectOf(() => stream([...opened([says('Half')]), errorData(body)]))
    const { error, said } = await failChat(subject)
    expect(error.code).toBe(code)
    expect(error instanceof ProviderUnavailable).toBe(unavailable)
    expect(said).toBe('Half')
    expect(shown(error)).not.toContain(SECRET)
    expect(subject.api.requests).toHaveLength(1)
    await subject.api.requests[0]?.ended
  })

  test('of an older vLLM, which is the event itself, is one as well', async () => {
    const event = data({ object: 'error', message: SECRET, type: 'InternalServerError', code: 500 })
    const { error } = await failChat(await chatSubjectOf([stream([event, DONE])]))
    expect(error).toBeInstanceOf(ProviderUnavailable)
    expect(shown(error)).not.toContain(SECRET)
  })

  test.each<[string, ErrorCode]>([
    ['error', 'provider_error'],
    ['insufficient_system_resource', 'provider_overloaded'],
  ])('that is the finish reason %s is %s', async (reason, code) => {
    const { error, said } = await failChat(await chatSubjectOf([stream([...opened([says('Half')]), finish(reason)])]))
    expect(error).toBeInstanceOf(ProviderUnavailable)
    expect({ code: error.code, said }).toEqual({ code, said: 'Half' })
  })
})

describe('a stream that breaks the rules', () => {
  const call = (fields: Readonly<Record<string, unknown>>): Step => callDelta(0, fields)
  const TOO_MANY = 129

  test.each<[string, readonly Step[]]>([
    ['a [DONE] without a finish reason', [DONE]],
    ['text that is a number', [chunk({ content: 7 })]],
    ['text that is a list', [chunk({ content: [{ type: 'text', text: SECRET }] })]],
    ['reasoning that is an object', [chunk({ reasoning: { text: SECRET } })]],
    ['a call without a name', [call({ id: 'a', function: { arguments: '{}' } })]],
    ['a call whose name is a number', [call({ id: 'a', function: { name: 7 } })]],
    ['a call without its function', [call({ id: 'a' })]],
    ['arguments that are an object', [call({ id: 'a', function: { name: 'a', arguments: { a: 1 } } })]],
    ['calls that are no list', [chunk({ tool_calls: 7 })]],
    ['choices that are no list', [data({ choices: 7 })]],
    ['a call that is null', [chunk({ tool_calls: [null] })]],
    [
      'more calls than any model makes',
      Array.from({ length: TOO_MANY }, (_, index) => callDelta(index, { function: { name: 'a', arguments: '{}' } })),
    ],
    ['data that is not JSON', [{ step: 'send', bytes: `data: {"choices": ${SECRET}\n\n`, token: false }]],
    ['data that is null', [{ step: 'send', bytes: 'data: null\n\n', token: false }]],
  ])('by %s is provider_error and ends the request', async (_, steps) => {
    const subject = await chatSubjectOf([stream([...opened([]), ...steps, { step: 'hold' }])])
    const { error } = await failChat(subject)
    expect(error.code).toBe('provider_error')
    expect(error).not.toBeInstanceOf(ProviderUnavailable)
    expect(shown(error)).not.toContain(SECRET)
    expect(await subject.api.requests[0]?.ended).toBe('aborted')
  })
})
