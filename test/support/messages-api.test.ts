import Anthropic from '@anthropic-ai/sdk'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { httpError, MessagesApi, stream } from './messages-api.ts'
import { answer, errorEvent, redactedThinking, text, thinking, toolUse } from './messages-api-events.ts'
import type { Delivery } from './messages-api-player.ts'

const BLOCKS = [
  thinking('let me see'),
  redactedThinking(),
  text('Grüße 🎉 an die 世界'),
  toolUse('toolu_1', 'calculator', { expression: '6*7' }),
  toolUse('toolu_2', 'clock', {}),
]

describe('the Messages API stub', () => {
  let api: MessagesApi
  let client: Anthropic

  beforeEach(async () => {
    api = await MessagesApi.listen()
    client = new Anthropic({ apiKey: 'test', baseURL: api.url, maxRetries: 0 })
  })

  afterEach(() => api.close())

  const user = (content: string) => ({ role: 'user' as const, content })
  const ask = (messages: Anthropic.MessageParam[] = [user('hi')], signal?: AbortSignal) =>
    client.messages.stream({ model: 'm', max_tokens: 9, messages }, signal ? { signal } : {}).finalMessage()

  const deliveries: readonly (readonly [string, Delivery])[] = [
    ['at full speed', {}],
    ['an event per write', { eventPerWrite: true }],
    ['a byte per write', { bytesPerWrite: 1 }],
    ['at a pace', { tokensPerSecond: 1000 }],
  ]

  it.each(deliveries)('sends every kind of block whole %s', async (_name, delivery) => {
    api.script = [stream(answer(BLOCKS, { usage: { cache_read_input_tokens: 7, output_tokens: 42 } }), delivery)]
    const { content, stop_reason, usage } = await ask()
    expect(content).toMatchObject([
      { type: 'thinking', thinking: 'let me see', signature: 'c2lnbmF0dXJl' },
      { type: 'redacted_thinking' },
      { type: 'text', text: 'Grüße 🎉 an die 世界' },
      { type: 'tool_use', id: 'toolu_1', name: 'calculator', input: { expression: '6*7' } },
      { type: 'tool_use', id: 'toolu_2', name: 'clock', input: {} },
    ])
    expect(stop_reason).toBe('tool_use')
    expect(usage).toMatchObject({ input_tokens: 25, cache_read_input_tokens: 7, output_tokens: 42 })
    await expect(api.requests[0]?.ended).resolves.toBe('completed')
  })

  it.each([400, 401, 403, 404, 413, 429, 500, 529])('answers %i with the error body of the API', async (status) => {
    api.script = [httpError(status, 'no', { 'retry-after': '3' })]
    const failure: unknown = await ask().catch((error: unknown) => error)
    expect(failure).toMatchObject({ status, error: { type: 'error', error: { message: 'no' } } })
    expect(failure).toHaveProperty('headers')
  })

  it('sends an error inside the stream', async () => {
    api.script = [stream([...answer([text('half')]).slice(0, 4), errorEvent('overloaded_error', 'busy')])]
    await expect(ask()).rejects.toMatchObject({ type: 'overloaded_error' })
  })

  it('cuts the socket where the script says', async () => {
    api.script = [stream([...answer([text('half of it')]).slice(0, 4), { step: 'cut' }])]
    await expect(ask()).rejects.toThrow(/terminated|closed|socket/i)
    await expect(api.requests[0]?.ended).resolves.toBe('aborted')
  })

  it('sees the client abort, and counts what is open', async () => {
    api.script = [stream([...answer([text('half')]).slice(0, 4), { step: 'hold' }])]
    const abort = new AbortController()
    const asked = ask(undefined, abort.signal)
    const request = await api.received(0)
    expect(api.open).toBe(1)
    abort.abort()
    await expect(asked).rejects.toThrow(/aborted/)
    await expect(request.ended).resolves.toBe('aborted')
    expect(api.open).toBe(0)
  })

  it('goes on from a hold when it is told', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const [start, ...rest] = answer([text('late')])
    api.script = [stream([...(start ? [start] : []), { step: 'hold', until: gate }, ...rest])]
    const asked = ask()
    await api.received(0)
    release()
    expect((await asked).content).toMatchObject([{ text: 'late' }])
  })

  it('takes a function of the request as its script', async () => {
    api.script = ({ body }) => stream(answer([text(String(body.model))]))
    expect((await ask()).content).toMatchObject([{ text: 'm' }])
  })

  it('takes a key as header or as bearer, and only its own', async () => {
    const keyed = await MessagesApi.listen({ key: 'right', script: () => stream(answer([text('ok')])) })
    const post = (headers: Record<string, string>) =>
      fetch(`${keyed.url}/v1/messages`, { method: 'POST', headers, body: JSON.stringify(BODY) }).then((r) => r.status)
    expect(await post({ 'x-api-key': 'right' })).toBe(200)
    expect(await post({ authorization: 'Bearer right' })).toBe(200)
    expect(await post({ 'x-api-key': 'wrong' })).toBe(401)
    expect(await post({})).toBe(401)
    await keyed.close()
  })

  const call = { type: 'tool_use' as const, id: 't1', name: 'clock', input: {} }
  const result = { type: 'tool_result' as const, tool_use_id: 't1', content: 'noon' }
  const invalid: readonly (readonly [string, Anthropic.MessageParam[]])[] = [
    ['no message', []],
    ['an assistant first', [{ role: 'assistant', content: 'hm' }]],
    ['an empty text block', [{ role: 'user', content: [{ type: 'text', text: '' }] }]],
    ['an empty text', [user('')]],
    ['a call without its result', [user('a'), { role: 'assistant', content: [call] }, user('b')]],
    ['a last call without its result', [user('a'), { role: 'assistant', content: [call] }]],
    ['a result without its call', [{ role: 'user', content: [result] }]],
    [
      'a result after other blocks',
      [
        user('a'),
        { role: 'assistant', content: [call] },
        { role: 'user', content: [{ type: 'text', text: 'b' }, result] },
      ],
    ],
    [
      'unsigned thinking',
      [user('a'), { role: 'assistant', content: [{ type: 'thinking', thinking: 'x', signature: '' }] }],
    ],
  ]

  it.each(invalid)('refuses %s as the API does', async (_name, messages) => {
    api.script = [stream(answer([text('never')]))]
    await expect(ask(messages)).rejects.toMatchObject({ status: 400 })
    expect(api.requests).toHaveLength(0)
  })

  it('accepts a call that is followed by its result', async () => {
    api.script = [stream(answer([text('noon')]))]
    const messages: Anthropic.MessageParam[] = [
      user('a'),
      { role: 'assistant', content: [call] },
      { role: 'user', content: [result, { type: 'text', text: 'and?' }] },
    ]
    expect((await ask(messages)).content).toMatchObject([{ text: 'noon' }])
  })
})

const BODY = { model: 'm', max_tokens: 1, stream: true, messages: [{ role: 'user', content: 'hi' }] }
