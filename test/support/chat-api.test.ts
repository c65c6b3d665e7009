import { OpenAI } from 'openai'
import { expect, it, onTestFinished } from 'vitest'
import { ChatApi, chatError } from './chat-api.ts'
import { calls, chatAnswer, DONE, errorData, opened, says } from './chat-api-events.ts'
import { type StubScript, stream } from './stub-server.ts'

type Asked = OpenAI.ChatCompletionMessageParam[]

async function stubOf(script: StubScript): Promise<{ api: ChatApi; ask: (messages?: Asked) => Promise<Said> }> {
  const api = await ChatApi.listen({ script })
  onTestFinished(() => api.close())
  const client = new OpenAI({ apiKey: 'test', baseURL: api.baseURL, maxRetries: 0 })
  const ask = async (messages: Asked = [{ role: 'user', content: 'hi' }]): Promise<Said> => {
    const answer = client.chat.completions.stream({ model: 'm', messages, stream_options: { include_usage: true } })
    const { choices, usage } = await answer.finalChatCompletion()
    return { choice: choices[0], usage }
  }
  return { api, ask }
}
type Said = { readonly choice: unknown; readonly usage: unknown }

it('speaks so that the SDK’s own reader understands it', async () => {
  const parts = [
    says('Grüße 🎉 an die 世界'),
    calls('call_1', 'calculator', { expression: '6*7' }),
    calls('call_2', 'clock', {}),
  ]
  const counts = { prompt_tokens: 25, completion_tokens: 42, cached: 7, reasoning: 3 }
  const { api, ask } = await stubOf([stream(chatAnswer(parts, { usage: counts }))])
  const { choice, usage } = await ask()
  expect(choice).toMatchObject({
    finish_reason: 'tool_calls',
    message: {
      content: 'Grüße 🎉 an die 世界',
      tool_calls: [
        { id: 'call_1', function: { name: 'calculator', arguments: '{"expression":"6*7"}' } },
        { id: 'call_2', function: { name: 'clock', arguments: '{}' } },
      ],
    },
  })
  expect(usage).toMatchObject({ total_tokens: 67, completion_tokens_details: { reasoning_tokens: 3 } })
  await expect(api.requests[0]?.ended).resolves.toBe('completed')
})

it.each([400, 401, 404, 429, 500])('answers %i with the error body of the API', async (status) => {
  const { ask } = await stubOf([chatError(status, 'no', { code: 'why', headers: { 'retry-after': '3' } })])
  const failure: unknown = await ask().catch((error: unknown) => error)
  expect(failure).toMatchObject({ status, code: 'why', error: { message: 'no' } })
})

it('sends an error inside the stream', async () => {
  const { ask } = await stubOf([stream([...opened([says('half')]), errorData({ message: 'busy' }), DONE])])
  await expect(ask()).rejects.toThrow('busy')
})

const CALL = { id: 'c1', type: 'function' as const, function: { name: 'clock', arguments: '{}' } }

it.each<[string, Asked]>([
  ['no message', []],
  [
    'a call without its result',
    [
      { role: 'assistant', content: null, tool_calls: [CALL] },
      { role: 'user', content: 'b' },
    ],
  ],
  ['a last call without its result', [{ role: 'assistant', content: null, tool_calls: [CALL] }]],
  ['a result without its call', [{ role: 'tool', tool_call_id: 'c1', content: 'noon' }]],
  ['an empty list of calls', [{ role: 'assistant', content: 'a', tool_calls: [] }]],
  ['an id that is too long', [{ role: 'assistant', content: null, tool_calls: [{ ...CALL, id: 'c'.repeat(41) }] }]],
  [
    'arguments that are no JSON',
    [{ role: 'assistant', content: null, tool_calls: [{ ...CALL, function: { name: 'clock', arguments: '{"' } }] }],
  ],
])('refuses %s as the API does', async (_name, messages) => {
  const { api, ask } = await stubOf([stream(chatAnswer([says('never')]))])
  await expect(ask(messages)).rejects.toMatchObject({ status: 400 })
  expect(api.requests).toHaveLength(0)
})
