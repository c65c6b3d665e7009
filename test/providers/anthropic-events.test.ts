import { expect, test } from 'vitest'
import type { ModelEvent, ModelMessage, StopReason } from '../../src/ports/provider.ts'
import { callsOf, collect, joined, requestOf } from '../contracts/provider.ts'
import { stream } from '../support/messages-api.ts'
import {
  answer,
  blockSteps,
  event,
  messageDelta,
  messageStart,
  ping,
  redactedThinking,
  type Step,
  text,
  thinking,
  toolUse,
} from '../support/messages-api-events.ts'
import { play, subjectOf } from './anthropic-subject.ts'

const STOP = event({ type: 'message_stop' })

function stopOf(events: readonly ModelEvent[]): Extract<ModelEvent, { type: 'stop' }> {
  const last = events.at(-1)
  if (last?.type !== 'stop') throw new Error('no stop')
  return last
}

test('text is passed on delta by delta and needs no blocks', async () => {
  const events = await play(answer([text('Hello there friend')]))
  expect(events.filter((each) => each.type === 'text')).toEqual([
    { type: 'text', delta: 'Hello' },
    { type: 'text', delta: ' there' },
    { type: 'text', delta: ' friend' },
  ])
  expect(stopOf(events)).toEqual({ type: 'stop', reason: 'end' })
})

test('what one read of the socket brings is handed over together, though each event is an HTTP chunk of its own', async () => {
  const words = Array.from({ length: 200 }, (_, number) => `word${number}`)
  const { provider } = await subjectOf([stream(answer([text(words.join(' '))]))])
  const batches: (readonly ModelEvent[])[] = []
  for await (const batch of provider.stream(requestOf('hi'), new AbortController().signal)) batches.push(batch)
  expect(joined(batches.flat(), 'text')).toBe(words.join(' '))
  expect(batches.length).toBeLessThan(words.length / 10)
})

test('thinking is reasoning, and its signature is kept in the blocks', async () => {
  const events = await play(answer([thinking('hm well', 'sig=='), text('Yes')]))
  expect(joined(events, 'reasoning')).toBe('hm well')
  expect(stopOf(events).blocks).toEqual({
    provider: 'anthropic',
    content: [
      { type: 'thinking', thinking: 'hm well', signature: 'sig==' },
      { type: 'text', text: 'Yes' },
    ],
  })
})

test('thinking that is not shown makes no reasoning but is kept', async () => {
  const events = await play(answer([thinking('', 'sig=='), text('Yes')]))
  expect(events.some(({ type }) => type === 'reasoning' || type === 'reasoning.end')).toBe(false)
  expect(stopOf(events).blocks?.content[0]).toEqual({ type: 'thinking', thinking: '', signature: 'sig==' })
})

test('thinking without a signature is shown but not kept', async () => {
  const events = await play(answer([thinking('hm', ''), text('Yes')]))
  expect(joined(events, 'reasoning')).toBe('hm')
  expect(stopOf(events).blocks?.content).toEqual([{ type: 'text', text: 'Yes' }])
})

test('thinking whose signature is no text is not kept either', async () => {
  const start = { type: 'thinking', thinking: '', signature: null }
  const events = await play([
    messageStart(),
    event({ type: 'content_block_start', index: 0, content_block: start }),
    event({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } }),
    event({ type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: null } }),
    event({ type: 'content_block_stop', index: 0 }),
    ...blockSteps(text('Yes'), 1),
    messageDelta([]),
    STOP,
  ])
  expect(stopOf(events).blocks?.content).toEqual([{ type: 'text', text: 'Yes' }])
})

test.each([
  ['repeats', 'toolu_1'],
  ['leaves empty', ''],
  ['writes with other signs', 'functions.clock:0'],
  ['makes too long', 'x'.repeat(3000)],
])('I5: calls whose ids a gateway %s get ones that a history may hold', async (_how, id) => {
  const messages: ModelMessage[] = [
    { role: 'user', content: 'One' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'toolu_1', name: 'a', arguments: '{}' }] },
    { role: 'tool', toolCallId: 'toolu_1', content: '1', isError: false },
  ]
  const calls = [thinking('hm', 'sig=='), toolUse(id, 'a', { x: 1 }), toolUse(id, 'b', { x: 2 })]
  const events = await play(answer(calls), { messages })
  const [a, b] = callsOf(events)
  expect([a, b]).toMatchObject([{ args: '{"x":1}' }, { args: '{"x":2}' }])
  expect(new Set(['toolu_1', a?.id, b?.id]).size).toBe(3)
  expect(a?.id).toMatch(/^[\w-]{1,40}$/)
  expect(stopOf(events).blocks?.content.slice(1)).toMatchObject([{ id: a?.id }, { id: b?.id }])
})

test('I5: a name that no tool can have is in no block', async () => {
  const events = await play(answer([thinking('hm', 'sig=='), toolUse('toolu_1', 'functions.a', {})]))
  expect(callsOf(events)).toMatchObject([{ name: 'functions_a' }])
  expect(stopOf(events).blocks?.content[1]).toMatchObject({ name: 'functions_a' })
})

test('blocks hold no text that the store refuses', async () => {
  const nul = String.fromCharCode(0)
  const events = await play(
    answer([thinking('hm', 'sig=='), toolUse('toolu_1', 'a', { x: `a${nul}b` }), text(`${nul}!`)]),
  )
  expect(stopOf(events).blocks?.content).toEqual([
    { type: 'thinking', thinking: 'hm', signature: 'sig==' },
    { type: 'tool_use', id: 'toolu_1', name: 'a', input: { x: 'a\uFFFDb' } },
    { type: 'text', text: '\uFFFD!' },
  ])
})

test('blocks hold no names that the store refuses', async () => {
  const nul = String.fromCharCode(0)
  const events = await play(answer([thinking('hm', 'sig=='), toolUse('toolu_1', 'a', { [nul]: { '\ud83e': 1 } })]))
  expect(stopOf(events).blocks?.content[1]).toMatchObject({ input: { '\uFFFD': { '\uFFFD': 1 } } })
})

test('arguments that are too deep to be written as JSON are none in the blocks', async () => {
  const deep = `{"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  const events = await play(
    answer([thinking('hm', 'sig=='), { type: 'tool_use', id: 'toolu_1', name: 'a', deltas: [deep] }]),
  )
  expect(stopOf(events).blocks?.content[1]).toMatchObject({ input: {} })
})

test('redacted thinking says nothing and is kept', async () => {
  const events = await play(answer([redactedThinking('ZGF0YQ=='), text('Yes')]))
  expect(joined(events)).toBe('Yes')
  expect(stopOf(events).blocks?.content).toEqual([
    { type: 'redacted_thinking', data: 'ZGF0YQ==' },
    { type: 'text', text: 'Yes' },
  ])
})

test('tool calls stream their arguments, one after the other', async () => {
  const events = await play(
    answer([
      text('Let me'),
      toolUse('toolu_1', 'a', { x: 'some longer value' }),
      toolUse('toolu_2', 'b', { y: [1, 2] }),
    ]),
  )
  expect(callsOf(events)).toEqual([
    { id: 'toolu_1', name: 'a', args: '{"x":"some longer value"}' },
    { id: 'toolu_2', name: 'b', args: '{"y":[1,2]}' },
  ])
  expect(events.filter((each) => each.type === 'tool.args').length).toBeGreaterThan(4)
  expect(stopOf(events)).toEqual({ type: 'stop', reason: 'tools' })
})

test('tool calls that are open at the same time keep their arguments apart', async () => {
  const start = (index: number): Step =>
    event({
      type: 'content_block_start',
      index,
      content_block: { type: 'tool_use', id: `t${index}`, name: 'a', input: {} },
    })
  const args = (index: number, partial_json: string): Step =>
    event({ type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json } })
  const stop = (index: number): Step => event({ type: 'content_block_stop', index })
  const interleaved = [
    start(0),
    start(1),
    args(1, '{"b"'),
    args(0, '{"a"'),
    args(1, ':1}'),
    args(0, ':0}'),
    stop(1),
    stop(0),
  ]
  const events = await play([messageStart(), ...interleaved, messageDelta([], { stop: 'tool_use' }), STOP])
  expect(callsOf(events)).toEqual([
    { id: 't0', name: 'a', args: '{"a":0}' },
    { id: 't1', name: 'a', args: '{"b":1}' },
  ])
})

test('a tool call without arguments has the arguments {}', async () => {
  const events = await play(answer([{ type: 'tool_use', id: 'toolu_1', name: 'a', deltas: [''] }]))
  expect(callsOf(events)).toEqual([{ id: 'toolu_1', name: 'a', args: '{}' }])
})

test('a tool call after thinking is kept with its parsed input', async () => {
  const events = await play(answer([thinking('hm', 'sig=='), toolUse('toolu_1', 'a', { x: 1 })]))
  expect(stopOf(events).blocks?.content[1]).toEqual({ type: 'tool_use', id: 'toolu_1', name: 'a', input: { x: 1 } })
})

test('text after a tool call keeps its place by the blocks', async () => {
  const events = await play(answer([toolUse('toolu_1', 'a', {}), text('afterwards')]))
  expect(stopOf(events).blocks?.content).toEqual([
    { type: 'tool_use', id: 'toolu_1', name: 'a', input: {} },
    { type: 'text', text: 'afterwards' },
  ])
})

test('text and citations that are there from the start of a block are kept', async () => {
  const cited = { type: 'char_location', cited_text: 'x' }
  const events = await play([
    messageStart(),
    event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: 'By', citations: null } }),
    event({ type: 'content_block_delta', index: 0, delta: { type: 'citations_delta', citation: cited } }),
    event({ type: 'content_block_stop', index: 0 }),
    messageDelta([]),
    STOP,
  ])
  expect(joined(events)).toBe('By')
  expect(stopOf(events).blocks?.content).toEqual([{ type: 'text', text: 'By', citations: [cited] }])
})

test.each<[Parameters<typeof answer>[1], StopReason]>([
  [{ stop: 'end_turn' }, 'end'],
  [{ stop: 'stop_sequence', stopSequence: 'END' }, 'end'],
  [{ stop: 'max_tokens' }, 'length'],
  [{ stop: 'refusal' }, 'refusal'],
  [{ stop: 'model_context_window_exceeded' }, 'context'],
])('the stop reason of %o is %s', async (options, reason) => {
  expect(stopOf(await play(answer([text('So')], options)))).toEqual({ type: 'stop', reason })
})

test('a paused answer carries its blocks, to be continued from', async () => {
  const server = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }
  const steps = [
    messageStart(),
    ...blockSteps(text('Searching'), 0),
    event({ type: 'content_block_start', index: 1, content_block: server }),
    event({
      type: 'content_block_delta',
      index: 1,
      delta: { type: 'input_json_delta', partial_json: '{"query":"x"}' },
    }),
    event({ type: 'content_block_stop', index: 1 }),
    messageDelta([], { stop: 'pause_turn' }),
    STOP,
  ]
  const events = await play(steps)
  expect(callsOf(events)).toEqual([])
  expect(stopOf(events)).toEqual({
    type: 'stop',
    reason: 'pause',
    blocks: {
      provider: 'anthropic',
      content: [
        { type: 'text', text: 'Searching' },
        { ...server, input: { query: 'x' } },
      ],
    },
  })
})

test('usage totals include what the cache read and wrote, and are told at the start already', async () => {
  const usage = { input_tokens: 10, cache_read_input_tokens: 300, cache_creation_input_tokens: 40, output_tokens: 7 }
  const events = await play(answer([text('So')], { usage }))
  const [first] = events
  const whole = {
    provider: 'anthropic',
    model: 'demo',
    inputTokens: 350,
    cachedInputTokens: 300,
    cacheWriteInputTokens: 40,
  }
  expect(first).toEqual({ type: 'usage', usage: { ...whole, outputTokens: 1, totalTokens: 351 } })
  expect(events.findLast((each) => each.type === 'usage')?.usage).toEqual({
    ...whole,
    outputTokens: 7,
    totalTokens: 357,
  })
})

test('counts that the last usage leaves out stay as the first said', async () => {
  const delta = { stop_reason: 'end_turn', stop_sequence: null }
  const last = event({ type: 'message_delta', delta, usage: { input_tokens: null, output_tokens: 9 } })
  const events = await play([messageStart({ usage: { input_tokens: 5 } }), last, STOP])
  expect(events.findLast((each) => each.type === 'usage')?.usage).toMatchObject({ inputTokens: 5, outputTokens: 9 })
})

test.each<[string, unknown]>([
  ['negative', -50],
  ['a fraction', 1.5],
  ['far too many', 1e300],
  ['text', '5'],
  ['an object', { a: 1 }],
])('a count that is %s counts as nothing', async (_how, count) => {
  const usage = { input_tokens: count, cache_read_input_tokens: count, output_tokens: count }
  const delta = { stop_reason: 'end_turn', stop_sequence: null }
  const events = await play([
    event({ type: 'message_start', message: { usage } }),
    event({ type: 'message_delta', delta, usage }),
    STOP,
  ])
  const counted = events.flatMap((each) => (each.type === 'usage' ? [each.usage.totalTokens] : []))
  expect(counted).toEqual([0, 0])
  expect(stopOf(events).reason).toBe('end')
})

const LONG = 'x'.repeat(100_000)
const startOf = (index: number, block: object): Step =>
  event({ type: 'content_block_start', index, content_block: block })
const deltaOf = (delta: object): Step => event({ type: 'content_block_delta', index: 0, delta })

test.each<[string, Step, (nth: number) => Step]>([
  ['citations', startOf(0, { type: 'text', text: '' }), () => deltaOf({ type: 'citations_delta', citation: LONG })],
  [
    'arguments of a call that is not ours',
    startOf(0, { type: 'server_tool_use', id: 's', name: 'x', input: {} }),
    () => deltaOf({ type: 'input_json_delta', partial_json: LONG }),
  ],
  ['blocks', startOf(0, { type: 'text', text: '' }), (nth) => startOf(nth, { type: 'redacted_thinking', data: LONG })],
])('I7: an answer of endless %s is broken off', async (_what, first, more) => {
  const flood = Array.from({ length: 60 }, (_, nth) => more(nth + 1))
  const { provider } = await subjectOf([stream([messageStart(), first, ...flood, { step: 'hold' }])])
  const answered = collect(provider.stream(requestOf('hi'), AbortSignal.timeout(5000)))
  await expect(answered).rejects.toMatchObject({ code: 'provider_error' })
})

test('pings, unknown events, deltas and stop reasons of a newer API are passed over', async () => {
  const events = await play([
    messageStart(),
    ping(),
    event({ type: 'weather_report', sunny: true }),
    event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'A' } }),
    event({ type: 'content_block_delta', index: 0, delta: { type: 'smell_delta', smell: 'rose' } }),
    event({ type: 'content_block_stop', index: 0 }),
    event({ type: 'message_delta', delta: { stop_reason: 'bored' }, usage: { output_tokens: 1 } }),
    STOP,
  ])
  expect(joined(events)).toBe('A')
  expect(stopOf(events).reason).toBe('end')
})

test('a whole answer is read to the end of its body, so that its connection lives on', async () => {
  const { api, provider } = await subjectOf(() => stream(answer([text('So')])))
  for await (const events of provider.stream(requestOf('hi'), new AbortController().signal))
    if (events.some(({ type }) => type === 'stop')) break
  expect(await api.requests[0]?.ended).toBe('completed')
})

test('a whole answer whose body stays open is given at once and its connection cut', async () => {
  const { api, provider } = await subjectOf([stream([...answer([text('So')]), { step: 'hold' }])])
  const events = await collect(provider.stream(requestOf('hi'), new AbortController().signal))
  expect(stopOf(events).reason).toBe('end')
  expect(await api.requests[0]?.ended).toBe('aborted')
})
