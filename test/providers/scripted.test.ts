import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ModelEvent, ModelMessage, ModelRequest } from '../../src/ports/provider.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { createScripted } from '../../src/providers/scripted.ts'
import { BUILTIN_TOOLS } from '../../src/tools/builtin.ts'
import { CALCULATOR, callsOf, collect, failureOf, joined, requestOf } from '../contracts/provider.ts'
import { CONTEXT } from '../tools/run.ts'

const provider = createScripted({ tokensPerSecond: Number.POSITIVE_INFINITY })
const TOOLS = BUILTIN_TOOLS.map(({ spec }) => spec)

function ask(content: string, more: Partial<ModelRequest> = {}): Promise<ModelEvent[]> {
  return collect(provider.stream(requestOf(content, { tools: TOOLS, ...more }), new AbortController().signal))
}

function answerTo(...messages: readonly ModelMessage[]): Promise<ModelEvent[]> {
  return ask('', { messages })
}

const said = (content: string): ModelMessage => ({ role: 'user', content })
const answered = (content: string): ModelMessage => ({ role: 'assistant', content, toolCalls: [] })

/** Runs the calls of a message with the real tools and gives the model's next answer: the loop of a run. */
async function converse(content: string): Promise<{ calls: ReturnType<typeof callsOf>; text: string }> {
  const calls = callsOf(await ask(content))
  const toolCalls = calls.map(({ id, name, args }) => ({ id, name, arguments: args }))
  const results = calls.map(async ({ id, name, args }): Promise<ModelMessage> => {
    const tool = BUILTIN_TOOLS.find(({ spec }) => spec.name === name)
    const result = tool?.execute(JSON.parse(args), CONTEXT) ?? Promise.reject(new Error('no such tool'))
    return result.then(
      (text) => ({ role: 'tool', toolCallId: id, content: text, isError: false }),
      (error: unknown) => ({ role: 'tool', toolCallId: id, content: String(error), isError: true }),
    )
  })
  const events = await answerTo(
    said(content),
    { role: 'assistant', content: '', toolCalls },
    ...(await Promise.all(results)),
  )
  return { calls, text: joined(events) }
}

describe('the scripted model', () => {
  test('answers the same question with the same words', async () => {
    expect(joined(await ask('hello'))).toBe(joined(await ask('hello')))
  })

  test.each(['hello', 'are you an AI?', 'who are you', 'help', 'What is the meaning of life?'])(
    'says plainly that it is not an AI to: %s',
    async (content) => {
      expect(joined(await ask(content))).toMatch(/not an AI|No AI/)
    },
  )

  test('lists what it can do, and can do each of it', async () => {
    const help = joined(await ask('help'))
    const listed = [...help.matchAll(/`([^`]+)`/g)].map(([, phrase]) => phrase ?? '')
    expect(listed.length).toBeGreaterThan(12)
    const fallback = joined(await ask('gibberish'))
    const dry = listed.filter((phrase) => !['fail', 'stall'].includes(phrase))
    for (const phrase of dry) expect(joined(await ask(phrase))).not.toBe(fallback)
  })

  test('shows formatted text', async () => {
    const text = joined(await ask('show markdown'))
    for (const mark of ['## ', '**', '- ', '| ', '```', '> ']) expect(text).toContain(mark)
  })

  test('reasons before it answers', async () => {
    const events = await ask('think about rain')
    expect(joined(events, 'reasoning').length).toBeGreaterThan(50)
    expect(joined(events)).not.toBe('')
  })

  test('counts with one number per token, up and down', async () => {
    const events = await ask('please count from 8 to 11')
    expect(events.filter(({ type }) => type === 'text').map((event) => 'delta' in event && event.delta)).toEqual([
      '8',
      ' 9',
      ' 10',
      ' 11',
    ])
    expect(joined(await ask('count slowly from 2 to -1'))).toBe('2 1 0 -1')
    expect(joined(await ask('count from 1 to 1000')).split(' ')).toHaveLength(1000)
    expect(joined(await ask('count from 1 to 10001'))).toContain('at most 10000')
  })

  test('stops at the output limit', async () => {
    const events = await ask('count from 1 to 1000', { maxOutputTokens: 10 })
    expect(joined(events)).toBe('1 2 3 4 5 6 7 8 9 10')
    expect(events.at(-1)).toEqual({ type: 'stop', reason: 'length' })
    const thinking = await ask('think', { maxOutputTokens: 3 })
    expect(thinking.map(({ type }) => type)).toEqual([
      'reasoning',
      'reasoning',
      'reasoning',
      'reasoning.end',
      'usage',
      'stop',
    ])
  })

  test('remembers from the history that it is given', async () => {
    expect(joined(await ask('remember the number 42'))).toBe('I will remember the number 42.')
    const history = [said('Please remember the number 42.'), answered('ok'), said('hello'), answered('hi')]
    const question = said('what number did I ask you to remember?')
    expect(joined(await answerTo(...history, question))).toBe('You asked me to remember the number 42.')
    expect(joined(await answerTo(said('remember that I like tea'), answered('ok'), ...history, question))).toContain(
      '42',
    )
    expect(joined(await answerTo(question))).toContain('not asked me')
  })

  test('looks at the first 2,200 characters of a message, whatever follows', async () => {
    const far = `${','.repeat(32_000)} calculate 1+1`
    expect(callsOf(await ask(far))).toEqual([])
    expect(callsOf(await ask(`calculate 1+1${far}`)).map(({ args }) => args)).toEqual(['{"expression":"1+1"}'])
  })

  test('refuses', async () => {
    expect((await ask('refuse')).at(-1)).toEqual({ type: 'stop', reason: 'refusal' })
  })

  test.each([
    ['fail', 'provider_error'],
    ['fail please', 'provider_error'],
    ['fail overloaded', 'provider_overloaded'],
    ['fail misconfigured', 'provider_misconfigured'],
    ['fail constructor', 'provider_error'],
  ])('%s: throws %s in the middle of its answer', async (content, code) => {
    const { events, error } = await failureOf(provider.stream(requestOf(content), new AbortController().signal))
    expect(joined(events)).toContain('starts well')
    expect(error).toBeInstanceOf(ParleyError)
    expect(error).toMatchObject({ code })
  })

  test.each([
    ['Title this conversation:\nwhat is the WEATHER like, in Paris today?', 'What Is The Weather Like'],
    ['Title this conversation: "calculate 2+2"', 'Calculate 2 2'],
    ['Title this conversation:\n...', 'Conversation'],
  ])('makes a title of %j', async (content, title) => {
    expect(joined(await ask(content, { tools: [] }))).toBe(title)
  })
})

describe('the scripted model with tools', () => {
  test.each<[string, readonly (readonly [string, Readonly<Record<string, unknown>>])[], string]>([
    ['calculate 2+2', [['calculator', { expression: '2+2' }]], '2+2 = 4'],
    ['What is 12 * (3 + 4)?', [['calculator', { expression: '12 * (3 + 4)' }]], '12 * (3 + 4) = 84'],
    ['what is 15% of 80?', [['calculator', { expression: '15/100* 80' }]], '15/100* 80 = 12'],
    ['calculate 15% of 80', [['calculator', { expression: '15/100* 80' }]], '15/100* 80 = 12'],
    [
      'calculate 2+2 and 3*7',
      [
        ['calculator', { expression: '2+2' }],
        ['calculator', { expression: '3*7' }],
      ],
      '- 2+2 = 4\n- 3*7 = 21',
    ],
    [
      'calculate max(1, 2), 1/0',
      [
        ['calculator', { expression: 'max(1, 2)' }],
        ['calculator', { expression: '1/0' }],
      ],
      'could not do that',
    ],
    ['what time is it in Europe/Paris?', [['current_time', { timeZone: 'Europe/Paris' }]], '(Europe/Paris, GMT'],
    ['what time is it', [['current_time', {}]], '(UTC, GMT'],
    ['convert 5 km to mile', [['unit_converter', { value: 5, from: 'km', to: 'mile' }]], '5 km = 3.10685596119 mile'],
    [
      'days between 2026-01-01 and 2026-12-25',
      [['date_calculator', { operation: 'difference', date: '2026-01-01', until: '2026-12-25' }]],
      '358 days',
    ],
    ['roll a die', [['random', { kind: 'integer', min: 1, max: 6 }]], ''],
    ['give me a random number between 5 and 5', [['random', { kind: 'integer', min: 5, max: 5 }]], '5'],
    ['make a uuid', [['random', { kind: 'uuid' }]], '-4'],
  ])('%s: calls and answers', async (content, expected, text) => {
    const { calls, text: answer } = await converse(content)
    expect(calls.map(({ name, args }) => [name, JSON.parse(args)])).toEqual(expected)
    expect(answer).toContain(text)
  })

  test('does what several parts of a message ask for at once', async () => {
    const { calls } = await converse('what time is it, and calculate 2+2')
    expect(calls.map(({ name }) => name)).toEqual(['calculator', 'current_time'])
  })

  test('streams long arguments in pieces', async () => {
    const events = await ask('add up 1 to 100')
    expect(events.filter(({ type }) => type === 'tool.args').length).toBeGreaterThan(30)
    expect((await converse('add up 1 to 100')).text).toContain('= 5050')
    expect((await converse('add up 1 to 9999')).text).toContain('(1 + 9999) * 9999 / 2 = 49995000')
  })

  test('calls only what it is given, and names what is missing', async () => {
    const events = await ask('calculate 2+2', { tools: [] })
    expect(callsOf(events)).toEqual([])
    expect(joined(events)).toContain('"calculator"')
    const some = await ask('calculate 2+2 and what time is it', { tools: [CALCULATOR] })
    expect(callsOf(some).map(({ name }) => name)).toEqual(['calculator'])
  })
})

describe('the pace of the scripted model', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is the given rate, and a quarter of it while it counts, with one timer at a time', async () => {
    const slow = createScripted({ tokensPerSecond: 80 })
    const controller = new AbortController()
    const counted: ModelEvent[] = []
    const done = (async () => {
      for await (const events of slow.stream(requestOf('count from 1 to 1000'), controller.signal))
        counted.push(...events)
    })().catch(() => undefined)
    await vi.advanceTimersByTimeAsync(1000)
    expect(counted).toHaveLength(20)
    expect(vi.getTimerCount()).toBe(1)
    controller.abort()
    await done
    expect(vi.getTimerCount()).toBe(0)
    expect(counted).toHaveLength(20)
  })

  test('leaves no timer behind when the loop is left or the model stalls', async () => {
    const slow = createScripted({ tokensPerSecond: 10 })
    const left = (async () => {
      for await (const events of slow.stream(requestOf('hello'), new AbortController().signal))
        if (events.some(({ type }) => type === 'text')) break
    })()
    await vi.advanceTimersByTimeAsync(200)
    await left
    const stalled = slow.stream(requestOf('stall'), new AbortController().signal)[Symbol.asyncIterator]().next()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await Promise.race([stalled, Promise.resolve('silent')])).toBe('silent')
    expect(vi.getTimerCount()).toBe(0)
  })
})
