import { describe, expect, test } from 'vitest'
import type { ModelEvent, ModelMessage, StopReason } from '../../src/ports/provider.ts'
import { callsOf, collect, joined, requestOf } from '../contracts/provider.ts'
import {
  callDelta,
  calls,
  chatAnswer,
  chunk,
  DONE,
  data,
  finish,
  opened,
  refuses,
  says,
  thinks,
  usage,
} from '../support/chat-api-events.ts'
import type { Step } from '../support/messages-api-events.ts'
import { stream } from '../support/stub-server.ts'
import { chatSubjectOf, playChat } from './openai-subject.ts'

const [ID_A, ID_B] = ['call_aaaaaaaaaaaaaaaaaaaaaaaa', 'call_bbbbbbbbbbbbbbbbbbbbbbbb']
const OWN_ID = /^call_[0-9a-f]{32}$/

function stopOf(events: readonly ModelEvent[]): Extract<ModelEvent, { type: 'stop' }> {
  const last = events.at(-1)
  if (last?.type !== 'stop') throw new Error('no stop')
  return last
}

/** An answer of nothing but these pieces of calls. */
function called(...steps: readonly Step[]): readonly Step[] {
  return [...opened([]), ...steps, finish('tool_calls'), DONE]
}

const begun = (index: number | undefined, id: string | undefined, name: string, args = ''): Step =>
  callDelta(index, { ...(id !== undefined && { id }), type: 'function', function: { name, arguments: args } })
const goesOn = (index: number | undefined, args: string, more = {}): Step =>
  callDelta(index, { ...more, function: { arguments: args } })

test('text is passed on delta by delta and needs no blocks', async () => {
  const events = await playChat(chatAnswer([says('Hello there friend')]))
  expect(events.filter((each) => each.type === 'text')).toEqual([
    { type: 'text', delta: 'Hello' },
    { type: 'text', delta: ' there' },
    { type: 'text', delta: ' friend' },
  ])
  expect(stopOf(events)).toEqual({ type: 'stop', reason: 'end' })
})

test.each(['reasoning', 'reasoning_content'] as const)(
  'reasoning that a server sends as %s is shown and ended before the text',
  async (field) => {
    const events = await playChat(chatAnswer([thinks('hm well', field), says('Yes')]))
    expect(joined(events, 'reasoning')).toBe('hm well')
    expect(events.map(({ type }) => type).filter((type) => type !== 'usage')).toEqual([
      'reasoning',
      'reasoning',
      'reasoning.end',
      'text',
      'stop',
    ])
  },
)

test('reasoning that a server sends under both names is shown once', async () => {
  const both = chunk({ content: null, reasoning: 'hm', reasoning_content: 'hm' })
  expect(joined(await playChat([both, finish('stop'), DONE]), 'reasoning')).toBe('hm')
})

test('reasoning alone is ended at the end', async () => {
  const events = await playChat([...opened([thinks('hm')]), finish('length'), DONE])
  expect(events.map(({ type }) => type)).toEqual(['reasoning', 'reasoning.end', 'stop'])
})

test('reasoning ends before a call, too, and may come again', async () => {
  const steps = [thinks('one'), says('so'), thinks('two'), calls(ID_A, 'calculator', { a: 1 })]
  const types = (await playChat(chatAnswer(steps))).map(({ type }) => type)
  expect(types.filter((type) => type === 'reasoning.end')).toHaveLength(2)
  expect(types.indexOf('tool.start')).toBeGreaterThan(types.lastIndexOf('reasoning.end'))
})

describe('tool calls', () => {
  test('stream their arguments, each in its own call', async () => {
    const events = await playChat(
      chatAnswer([says('Let me'), calls(ID_A, 'a', { x: 'some longer value' }), calls(ID_B, 'b', { y: [1, 2] })]),
    )
    expect(callsOf(events)).toEqual([
      { id: ID_A, name: 'a', args: '{"x":"some longer value"}' },
      { id: ID_B, name: 'b', args: '{"y":[1,2]}' },
    ])
    expect(events.filter((each) => each.type === 'tool.args').length).toBeGreaterThan(4)
    expect(stopOf(events)).toEqual({ type: 'stop', reason: 'tools' })
  })

  test('that are open at the same time keep their arguments apart', async () => {
    const events = await playChat(
      called(
        begun(0, ID_A, 'a'),
        begun(1, ID_B, 'b'),
        goesOn(1, '{"b"'),
        goesOn(0, '{"a"'),
        goesOn(1, ':1}'),
        goesOn(0, ':0}'),
      ),
    )
    expect(callsOf(events).map(({ args }) => args)).toEqual(['{"a":0}', '{"b":1}'])
  })

  test.each<[string, readonly Step[]]>([
    ['whole, each in a chunk', [begun(0, ID_A, 'a', '{"n":1}'), begun(1, ID_B, 'a', '{"n":2}')]],
    ['whole, all of the same index', [begun(0, ID_A, 'a', '{"n":1}'), begun(0, ID_B, 'a', '{"n":2}')]],
    ['without an index', [begun(undefined, ID_A, 'a', '{"n":1}'), begun(undefined, ID_B, 'a', '{"n":2}')]],
    [
      'without an index, in pieces',
      [
        begun(undefined, ID_A, 'a'),
        goesOn(undefined, '{"n"'),
        goesOn(undefined, ':1}'),
        begun(undefined, ID_B, 'a', '{"n":2}'),
      ],
    ],
    [
      'with id and name in every piece',
      [
        begun(0, ID_A, 'a', '{"n"'),
        begun(0, ID_A, 'a', ':1}'),
        begun(1, ID_B, 'a', '{"n"'),
        goesOn(1, ':2}', { id: ID_B }),
      ],
    ],
    [
      'in one chunk',
      [
        chunk({
          tool_calls: [
            { index: 0, id: ID_A, function: { name: 'a', arguments: '{"n":1}' } },
            { index: 1, id: ID_B, function: { name: 'a', arguments: '{"n":2}' } },
          ],
        }),
      ],
    ],
  ])('that a server sends %s are the calls that they were', async (_how, steps) => {
    expect(callsOf(await playChat(called(...steps)))).toEqual([
      { id: ID_A, name: 'a', args: '{"n":1}' },
      { id: ID_B, name: 'a', args: '{"n":2}' },
    ])
  })

  test.each<[string, string | undefined]>([
    ['no id', undefined],
    ['an empty id', ''],
    ['a short id', 'call_0'],
    ['an id that other APIs refuse', 'functions.calculator:0'],
    ['an id that OpenAI refuses', `chatcmpl-tool-${'0'.repeat(32)}`],
  ])('of a server with %s get one of ours, unique in the answer', async (_how, id) => {
    const events = await playChat(called(begun(0, id, 'a', '{}'), begun(1, id, 'b', '{}')))
    const ids = callsOf(events).map((call) => call.id)
    expect(new Set(ids).size).toBe(2)
    for (const own of ids) expect(own).toMatch(OWN_ID)
  })

  test('of a server that uses an id again get another one', async () => {
    const call = { id: ID_A, name: 'calculator', arguments: '{}' }
    const messages: ModelMessage[] = [
      { role: 'user', content: 'One' },
      { role: 'assistant', content: '', toolCalls: [call] },
      { role: 'tool', toolCallId: ID_A, content: '1', isError: false },
    ]
    const [again] = callsOf(await playChat(called(begun(0, ID_A, 'calculator', '{}')), { messages }))
    expect(again?.id).toMatch(OWN_ID)
  })

  test('without arguments have the arguments {}', async () => {
    expect(callsOf(await playChat(called(begun(0, ID_A, 'a'))))).toEqual([{ id: ID_A, name: 'a', args: '{}' }])
  })
})

describe('the stop', () => {
  test.each<[string, StopReason]>([
    ['stop', 'end'],
    ['length', 'length'],
    ['content_filter', 'refusal'],
    ['bored', 'end'],
  ])('of finish reason %s is %s', async (reason, expected) => {
    expect(stopOf(await playChat(chatAnswer([says('So')], { finish: reason }))).reason).toBe(expected)
  })

  test.each(['tool_calls', 'function_call', 'stop', 'bored'])('is tools after a call, also for %s', async (reason) => {
    const events = await playChat(chatAnswer([calls(ID_A, 'a', {})], { finish: reason }))
    expect(stopOf(events).reason).toBe('tools')
  })

  test('in the middle of a call closes it', async () => {
    const events = await playChat([...opened([]), begun(0, ID_A, 'a', '{"cut'), finish('length'), DONE])
    expect(callsOf(events)).toEqual([{ id: ID_A, name: 'a', args: '{"cut' }])
    expect(stopOf(events).reason).toBe('length')
  })

  test('of an answer that is a refusal is one, and its words are shown', async () => {
    const events = await playChat(chatAnswer([refuses('I cannot help')]))
    expect(joined(events)).toBe('I cannot help')
    expect(stopOf(events).reason).toBe('refusal')
  })

  test('needs no [DONE]', async () => {
    const events = await playChat([
      ...opened([says('So')]),
      finish('stop'),
      usage({ prompt_tokens: 3, completion_tokens: 1 }),
    ])
    expect(events.map(({ type }) => type)).toEqual(['text', 'usage', 'stop'])
  })
})

describe('usage', () => {
  test('holds the cached and the reasoning tokens within its totals', async () => {
    const counts = { prompt_tokens: 310, completion_tokens: 50, cached: 300, reasoning: 40 }
    const events = await playChat(chatAnswer([says('So')], { usage: counts }))
    expect(events.filter((each) => each.type === 'usage').map((each) => each.usage)).toEqual([
      {
        provider: 'openai',
        model: 'demo',
        inputTokens: 310,
        outputTokens: 50,
        totalTokens: 360,
        cachedInputTokens: 300,
        reasoningTokens: 40,
      },
    ])
  })

  test('may come with every chunk; the last one counts', async () => {
    const counted = (tokens: number): Step =>
      data({ choices: [{ index: 0, delta: { content: 'x' } }], usage: { prompt_tokens: 5, completion_tokens: tokens } })
    const events = await playChat([counted(1), counted(2), finish('stop'), DONE])
    expect(events.findLast((each) => each.type === 'usage')?.usage).toMatchObject({ outputTokens: 2, totalTokens: 7 })
  })

  test('of a server that counts nothing is absent', async () => {
    const events = await playChat(chatAnswer([says('So')], { usage: 'none' }))
    expect(events.map(({ type }) => type)).toEqual(['text', 'stop'])
  })

  test('that is nonsense counts as nothing', async () => {
    const counts = { prompt_tokens: 'many', completion_tokens: -3, prompt_tokens_details: { cached_tokens: 1e300 } }
    const events = await playChat([...opened([says('So')]), finish('stop'), data({ choices: [], usage: counts }), DONE])
    expect(events.find((each) => each.type === 'usage')?.usage).toMatchObject({ inputTokens: 0, totalTokens: 0 })
  })
})

test('what is not known is passed over: other choices, fields, comments and null in every place', async () => {
  const events = await playChat([
    { step: 'send', bytes: ': OPENROUTER PROCESSING\n\n', token: false },
    data({ choices: null, usage: null, error: null, prompt_filter_results: [] }),
    data({ choices: [{ index: 0, delta: null }] }),
    data({ choices: [{ index: 1, delta: { content: 'another choice' } }] }),
    chunk({ content: 'A', tool_calls: null, refusal: null, reasoning: null, audio: { id: 'x' } }),
    data({ object: 'timings', timings: { predicted_ms: 3 } }),
    finish('stop'),
    DONE,
  ])
  expect(joined(events)).toBe('A')
  expect(stopOf(events).reason).toBe('end')
})

test('a whole answer is read to the end of its body, so that its connection lives on', async () => {
  const { api, provider } = await chatSubjectOf(() => stream(chatAnswer([says('So')])))
  for await (const events of provider.stream(requestOf('hi'), new AbortController().signal))
    if (events.some(({ type }) => type === 'stop')) break
  expect(await api.requests[0]?.ended).toBe('completed')
})

test('a whole answer whose body stays open is given at once and its connection cut', async () => {
  const { api, provider } = await chatSubjectOf([stream([...chatAnswer([says('So')]), { step: 'hold' }])])
  const events = await collect(provider.stream(requestOf('hi'), new AbortController().signal))
  expect(stopOf(events).reason).toBe('end')
  expect(await api.requests[0]?.ended).toBe('aborted')
})
