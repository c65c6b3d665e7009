import { expect, test, vi } from 'vitest'
import type { ModelMessage } from '../../src/ports/provider.ts'
import { toRequestBody } from '../../src/providers/anthropic-messages.ts'
import { CALCULATOR, collect, requestOf } from '../contracts/provider.ts'
import { stream } from '../support/messages-api.ts'
import { answer, text } from '../support/messages-api-events.ts'
import { subjectOf } from './anthropic-subject.ts'

const MARK = { cache_control: { type: 'ephemeral' } }

function assistant(content: string, calls: readonly string[] = [], more = {}): ModelMessage {
  const toolCalls = calls.map((id) => ({ id, name: 'calculator', arguments: '{"expression":"2+2"}' }))
  return { role: 'assistant', content, toolCalls, ...more }
}

function result(toolCallId: string, content: string, isError = false): ModelMessage {
  return { role: 'tool', toolCallId, content, isError }
}

function messagesOf(...messages: readonly ModelMessage[]): unknown {
  return toRequestBody(requestOf('', { messages })).messages
}

test('a first request marks the last tool, the preamble and the message for the cache', () => {
  expect(toRequestBody(requestOf('Hello', { tools: [{ ...CALCULATOR, name: 'other' }, CALCULATOR] }))).toEqual({
    model: 'demo',
    max_tokens: 8192,
    stream: true,
    system: [{ type: 'text', text: 'Be brief.', ...MARK }],
    tools: [
      { name: 'other', description: 'Calculates.', input_schema: CALCULATOR.parameters },
      { name: 'calculator', description: 'Calculates.', input_schema: CALCULATOR.parameters, ...MARK },
    ],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello', ...MARK }] }],
  })
})

test('no preamble and no tools are left out instead of sent empty', () => {
  const body = toRequestBody(requestOf('Hello', { system: ' \n', tools: [] }))
  expect(Object.keys(body).sort()).toEqual(['max_tokens', 'messages', 'model', 'stream'])
})

test('results of parallel calls are one user message, with the text that follows after them', () => {
  expect(
    messagesOf(
      { role: 'user', content: 'Two sums' },
      assistant('Sure', ['a', 'b']),
      result('a', '4'),
      result('b', 'no such number', true),
      { role: 'user', content: 'And?' },
    ),
  ).toEqual([
    { role: 'user', content: [{ type: 'text', text: 'Two sums' }] },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'Sure' },
        { type: 'tool_use', id: 'a', name: 'calculator', input: { expression: '2+2' } },
        { type: 'tool_use', id: 'b', name: 'calculator', input: { expression: '2+2' } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'a', content: '4' },
        { type: 'tool_result', tool_use_id: 'b', content: 'no such number', is_error: true },
        { type: 'text', text: 'And?', ...MARK },
      ],
    },
  ])
})

test('an empty result and empty texts make no empty block, and roles still alternate', () => {
  expect(
    messagesOf(
      { role: 'user', content: 'One' },
      assistant(' \n'),
      { role: 'user', content: 'Two' },
      assistant('', ['a']),
      result('a', ''),
    ),
  ).toEqual([
    {
      role: 'user',
      content: [
        { type: 'text', text: 'One' },
        { type: 'text', text: 'Two' },
      ],
    },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'calculator', input: { expression: '2+2' } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', ...MARK }] },
  ])
})

test.each(['', '{"cut', '[1]', 'null', '"text"'])('a call whose arguments are %j is shown without any', (args) => {
  const message: ModelMessage = { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'x', arguments: args }] }
  expect(messagesOf({ role: 'user', content: 'Hi' }, message, result('a', 'bad arguments', true))).toMatchObject([
    { role: 'user' },
    { content: [{ type: 'tool_use', input: {} }] },
    { role: 'user' },
  ])
})

const SIGNED = [
  { type: 'thinking', thinking: 'hm', signature: 'sig==' },
  { type: 'redacted_thinking', data: 'ZGF0YQ==' },
  { type: 'text', text: 'Sure' },
]

test('its own blocks are given back verbatim in the place of text and calls', () => {
  const blocks = { provider: 'anthropic', content: SIGNED }
  expect(
    messagesOf({ role: 'user', content: 'Hi' }, assistant('Sure', [], { blocks }), { role: 'user', content: 'Go' }),
  ).toEqual([
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
    { role: 'assistant', content: SIGNED },
    { role: 'user', content: [{ type: 'text', text: 'Go', ...MARK }] },
  ])
})

test("another provider's blocks are not given to this one", () => {
  const blocks = { provider: 'openai', content: [{ type: 'reasoning', text: 'hm' }] }
  expect(
    messagesOf({ role: 'user', content: 'Hi' }, assistant('Sure', [], { blocks }), { role: 'user', content: 'Go' }),
  ).toMatchObject([
    { role: 'user' },
    { role: 'assistant', content: [{ type: 'text', text: 'Sure' }] },
    { role: 'user' },
  ])
})

test('a paused answer is continued with its blocks as the last message', () => {
  const content = [
    { type: 'text', text: 'Searching' },
    { type: 'server_tool_use', id: 's', name: 'web_search', input: {} },
  ]
  const paused = assistant('Searching', [], { blocks: { provider: 'anthropic', content } })
  expect(messagesOf({ role: 'user', content: 'Find' }, paused)).toEqual([
    { role: 'user', content: [{ type: 'text', text: 'Find' }] },
    { role: 'assistant', content: [content[0], { ...content[1], ...MARK }] },
  ])
})

test('thinking at the very end takes no mark of the cache', () => {
  const paused = assistant('', [], { blocks: { provider: 'anthropic', content: SIGNED.slice(0, 1) } })
  expect(messagesOf({ role: 'user', content: 'Find' }, paused)).toMatchObject([{}, { content: SIGNED.slice(0, 1) }])
})

test.each([
  [{ type: 'adaptive' } as const, 8192, { type: 'adaptive', display: 'summarized' }],
  [
    { type: 'budget', budgetTokens: 2000 } as const,
    8192,
    { type: 'enabled', budget_tokens: 2000, display: 'summarized' },
  ],
  [
    { type: 'budget', budgetTokens: 20 } as const,
    8192,
    { type: 'enabled', budget_tokens: 1024, display: 'summarized' },
  ],
  [
    { type: 'budget', budgetTokens: 9000 } as const,
    4096,
    { type: 'enabled', budget_tokens: 4095, display: 'summarized' },
  ],
  [{ type: 'budget', budgetTokens: 9000 } as const, 1024, { type: 'disabled' }],
])('thinking %o with %i tokens of output is asked for as the API allows', (thinking, maxOutputTokens, expected) => {
  expect(toRequestBody(requestOf('Hi', { thinking, maxOutputTokens })).thinking).toEqual(expected)
})

test('a budget for thinking is not asked for while results go back for calls that were not thought about', () => {
  const thinking = { type: 'budget', budgetTokens: 2000 } as const
  const user: ModelMessage = { role: 'user', content: 'And now?' }
  const content = [
    { type: 'thinking', thinking: 'hm', signature: 'sig==' },
    { type: 'tool_use', id: 'toolu_1', name: 'calculator', input: {} },
  ]
  const thought = assistant('', ['toolu_1'], { blocks: { provider: 'anthropic', content } })
  const bare = assistant('', ['toolu_1'])
  const later = [assistant('', ['toolu_2']), result('toolu_2', '5')]
  const kindOf = (...messages: readonly ModelMessage[]): unknown =>
    toRequestBody(requestOf('', { thinking, messages: [user, ...messages] })).thinking?.type
  expect(kindOf(thought, result('toolu_1', '4'))).toBe('enabled')
  // Within one answer the model thinks once, before its first call.
  expect(kindOf(thought, result('toolu_1', '4'), ...later)).toBe('enabled')
  expect(kindOf(bare, result('toolu_1', '4'))).toBe('disabled')
  expect(kindOf(bare, result('toolu_1', '4'), ...later)).toBe('disabled')
  expect(kindOf(bare, result('toolu_1', '4'), user)).toBe('disabled')
  expect(kindOf(bare, result('toolu_1', '4'), assistant('Four'), user)).toBe('enabled')
})

test('the request reaches the API with its key, whatever the environment says', async () => {
  vi.stubEnv('ANTHROPIC_API_KEY', 'sk-ant-other')
  vi.stubEnv('ANTHROPIC_AUTH_TOKEN', 'other')
  vi.stubEnv('ANTHROPIC_BASE_URL', 'http://127.0.0.1:9')
  const { api, provider } = await subjectOf([stream(answer([text('So')]))], { key: 'sk-ant-test' })
  await collect(provider.stream(requestOf('Hello'), new AbortController().signal))
  expect(api.requests).toHaveLength(1)
  expect(api.requests[0]?.body).toEqual(JSON.parse(JSON.stringify(toRequestBody(requestOf('Hello')))))
  for (const refused of ['temperature', 'top_p', 'top_k']) expect(api.requests[0]?.body).not.toHaveProperty(refused)
})
