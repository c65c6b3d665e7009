import { expect, test, vi } from 'vitest'
import type { ModelMessage } from '../../src/ports/provider.ts'
import { type Dialect, toRequestBody } from '../../src/providers/openai-messages.ts'
import { CALCULATOR, requestOf } from '../contracts/provider.ts'
import { chatAnswer, says } from '../support/chat-api-events.ts'
import { chatRefusalOf } from '../support/chat-api-rules.ts'
import { stream } from '../support/stub-server.ts'
import { askChat, chatSubjectOf } from './openai-subject.ts'

const PLAIN: Dialect = { limit: 'max_tokens', toolsWithoutReasoning: false, thoughts: 'kept' }

function assistant(content: string, ids: readonly string[] = [], more = {}): ModelMessage {
  const toolCalls = ids.map((id) => ({ id, name: 'calculator', arguments: '{"expression":"2+2"}' }))
  return { role: 'assistant', content, toolCalls, ...more }
}

function result(toolCallId: string, content: string, isError = false): ModelMessage {
  return { role: 'tool', toolCallId, content, isError }
}

function messagesOf(...messages: readonly ModelMessage[]): unknown {
  const body = toRequestBody(requestOf('', { messages, system: '' }), PLAIN)
  expect(chatRefusalOf({ ...body })).toBeUndefined()
  return body.messages
}

const call = (id: string, args = '{"expression":"2+2"}') => {
  return { id, type: 'function', function: { name: 'calculator', arguments: args } }
}

test('a request has the preamble first, its tools as functions, its limit, and asks for the counts', () => {
  expect(toRequestBody(requestOf('Hello'), PLAIN)).toEqual({
    model: 'demo',
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 8192,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
    ],
    tools: [
      {
        type: 'function',
        function: { name: 'calculator', description: 'Calculates.', parameters: CALCULATOR.parameters },
      },
    ],
  })
})

test('no preamble and no tools are left out instead of sent empty', () => {
  const body = toRequestBody(requestOf('Hello', { system: ' \n', tools: [], thinking: { type: 'adaptive' } }), PLAIN)
  expect(Object.keys(body).sort()).toEqual(['max_tokens', 'messages', 'model', 'stream', 'stream_options'])
  expect(body.messages).toHaveLength(1)
})

test('calls and their results keep their order and ids; a failed one says so', () => {
  expect(
    messagesOf(
      { role: 'user', content: 'Two sums' },
      assistant('Sure', ['a', 'b']),
      result('a', '4'),
      result('b', 'no such number', true),
      assistant('', ['c']),
      result('c', '5'),
      assistant('Done'),
      { role: 'user', content: 'And?' },
    ),
  ).toEqual([
    { role: 'user', content: 'Two sums' },
    { role: 'assistant', content: 'Sure', tool_calls: [call('a'), call('b')] },
    { role: 'tool', tool_call_id: 'a', content: '4' },
    { role: 'tool', tool_call_id: 'b', content: 'Error: no such number' },
    { role: 'assistant', content: null, tool_calls: [call('c')] },
    { role: 'tool', tool_call_id: 'c', content: '5' },
    { role: 'assistant', content: 'Done' },
    { role: 'user', content: 'And?' },
  ])
})

test('what says nothing is left out, and messages of one role in a row become one', () => {
  expect(
    messagesOf(
      { role: 'user', content: 'One' },
      assistant(' \n'),
      { role: 'user', content: 'Two' },
      assistant('Half'),
      assistant('whole', ['a']),
      result('a', ''),
    ),
  ).toEqual([
    { role: 'user', content: 'One\n\nTwo' },
    { role: 'assistant', content: 'Half\n\nwhole', tool_calls: [call('a')] },
    { role: 'tool', tool_call_id: 'a', content: '' },
  ])
})

test('a call without arguments is sent with an empty object', () => {
  const message: ModelMessage = {
    role: 'assistant',
    content: '',
    toolCalls: [{ id: 'a', name: 'calculator', arguments: ' ' }],
  }
  expect(messagesOf({ role: 'user', content: 'Hi' }, message, result('a', 'x'))).toMatchObject([
    {},
    { tool_calls: [call('a', '{}')] },
    {},
  ])
})

test('I5: blocks of another provider stay behind; its text and calls are given', () => {
  const content = [
    { type: 'thinking', thinking: 'a secret thought', signature: 'sig==' },
    { type: 'text', text: 'Sure' },
  ]
  const given = messagesOf(
    { role: 'user', content: 'Hi' },
    assistant('Sure', ['toolu_01A'], { blocks: { provider: 'anthropic', content } }),
    result('toolu_01A', '4'),
  )
  expect(given).toEqual([
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Sure', tool_calls: [call('toolu_01A')] },
    { role: 'tool', tool_call_id: 'toolu_01A', content: '4' },
  ])
})

test.each([`call_${'0'.repeat(36)}`, 'functions.calculator:0', 'ü'])(
  'I5: the id %s of another provider becomes one that the API takes, the same in call and result',
  (id) => {
    const given = messagesOf({ role: 'user', content: 'Hi' }, assistant('', [id]), result(id, '4'))
    const own = expect.stringMatching(/^call_[0-9a-f]{32}$/)
    expect(given).toMatchObject([{}, { tool_calls: [{ id: own }] }, { tool_call_id: own }])
  },
)

test.each(['sk-test', 'none'])(
  'the request reaches the API with key %s, whatever the environment says',
  async (key) => {
    vi.stubEnv('OPENAI_API_KEY', 'sk-other')
    vi.stubEnv('OPENAI_ADMIN_KEY', 'sk-admin')
    vi.stubEnv('OPENAI_BASE_URL', 'http://127.0.0.1:9')
    vi.stubEnv('OPENAI_ORG_ID', 'org-other')
    vi.stubEnv('OPENAI_PROJECT_ID', 'proj-other')
    const subject = await chatSubjectOf([stream(chatAnswer([says('So')]))], { key })
    await askChat(subject)
    const [request] = subject.api.requests
    expect(request?.body).toEqual(JSON.parse(JSON.stringify(toRequestBody(requestOf('hi'), PLAIN))))
    expect(request?.headers.authorization).toBe(key === 'none' ? undefined : `Bearer ${key}`)
    expect(JSON.stringify(request?.headers)).not.toMatch(/other|admin/)
  },
)
