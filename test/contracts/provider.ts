import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ModelEvent, ModelRequest, Provider, ToolSpec } from '../../src/ports/provider.ts'
import { ParleyError } from '../../src/protocol/errors.ts'

/** What a provider under test has to be able to answer. */
export type Scenario = 'text' | 'reasoning' | 'tools' | 'endless' | 'silent' | 'failing'

export type ProviderSubject = {
  readonly provider: Provider
  /** The last user message that makes the model answer as the scenario says. `tools` calls `calculator` at least twice. */
  readonly ask: Readonly<Record<Scenario, string>>
  /** Resolves once no request is open upstream. */
  readonly settled: () => Promise<void>
  /** Requests that reached the upstream so far. */
  readonly sent: () => number
  readonly close: () => Promise<void>
}

export const CALCULATOR: ToolSpec = {
  name: 'calculator',
  description: 'Calculates.',
  parameters: { type: 'object', properties: { expression: { type: 'string' } }, required: ['expression'] },
}

export function requestOf(content: string, more: Partial<ModelRequest> = {}): ModelRequest {
  const messages = [{ role: 'user', content }] as const
  return { model: 'demo', system: 'Be brief.', messages, tools: [CALCULATOR], maxOutputTokens: 8192, ...more }
}

export async function collect(stream: AsyncIterable<readonly ModelEvent[]>): Promise<ModelEvent[]> {
  const events: ModelEvent[] = []
  for await (const some of stream) events.push(...some)
  return events
}

/** All text of one kind, joined. */
export function joined(events: readonly ModelEvent[], type: 'text' | 'reasoning' = 'text'): string {
  return events.map((event) => (event.type === type ? event.delta : '')).join('')
}

/** The calls of an answer with their joined arguments, checked for order: start, arguments, end. */
export function callsOf(events: readonly ModelEvent[]): { id: string; name: string; args: string }[] {
  const calls = new Map<string, { id: string; name: string; args: string; ended: boolean }>()
  for (const event of events) {
    if (event.type === 'tool.start') {
      if (calls.has(event.id)) throw new Error('a call that started twice')
      calls.set(event.id, { id: event.id, name: event.name, args: '', ended: false })
    }
    if (event.type !== 'tool.args' && event.type !== 'tool.end') continue
    const call = calls.get(event.id)
    if (call === undefined || call.ended) throw new Error(`${event.type} outside its call`)
    if (event.type === 'tool.args') call.args += event.delta
    else call.ended = true
  }
  if ([...calls.values()].some((call) => !call.ended)) throw new Error('a call that did not end')
  return [...calls.values()].map(({ id, name, args }) => ({ id, name, args }))
}

/** What a stream threw, after the events that it gave. */
export async function failureOf(
  stream: AsyncIterable<readonly ModelEvent[]>,
): Promise<{ events: ModelEvent[]; error: unknown }> {
  const events: ModelEvent[] = []
  try {
    for await (const some of stream) events.push(...some)
  } catch (error) {
    return { events, error }
  }
  throw new Error('the stream did not fail')
}

/** The promises of ports/provider.ts, for every implementation. */
export function testProvider(name: string, start: () => Promise<ProviderSubject>): void {
  describe(`${name} keeps the provider's promises`, () => {
    let subject: ProviderSubject
    beforeEach(async () => {
      subject = await start()
    })
    afterEach(() => subject.close())

    const stream = (scenario: Scenario, signal = new AbortController().signal): AsyncIterable<readonly ModelEvent[]> =>
      subject.provider.stream(requestOf(subject.ask[scenario]), signal)

    test.each(['text', 'reasoning', 'tools'] as const)(
      'stop comes once and last when it answers with %s',
      async (scenario) => {
        const events = await collect(stream(scenario))
        expect(events.filter((event) => event.type === 'stop')).toHaveLength(1)
        expect(events.at(-1)).toMatchObject({ type: 'stop', reason: scenario === 'tools' ? 'tools' : 'end' })
        expect(events.filter((event) => 'delta' in event && event.delta === '')).toEqual([])
      },
    )

    test('usage is told before the stop and adds up', async () => {
      const events = await collect(stream('text'))
      const usage = events.findLast((event) => event.type === 'usage')
      expect(usage?.usage.inputTokens).toBeGreaterThan(0)
      expect(usage?.usage.outputTokens).toBeGreaterThan(0)
      expect(usage?.usage.totalTokens).toBe((usage?.usage.inputTokens ?? 0) + (usage?.usage.outputTokens ?? 0))
    })

    test('reasoning is ended before the answer begins', async () => {
      const types = (await collect(stream('reasoning'))).map((event) => event.type)
      expect(types.indexOf('reasoning.end')).toBeGreaterThan(types.lastIndexOf('reasoning'))
      expect(types.indexOf('text')).toBeGreaterThan(types.indexOf('reasoning.end'))
    })

    test('tool calls nest well, have ids of their own and arguments that join to JSON', async () => {
      const calls = callsOf(await collect(stream('tools')))
      expect(calls.length).toBeGreaterThan(1)
      expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
      for (const call of calls) expect(JSON.parse(call.args)).toHaveProperty('expression')
    })

    test('a failure inside the answer throws a row of the error table after what was said', async () => {
      const { events, error } = await failureOf(stream('failing'))
      expect(joined(events)).not.toBe('')
      expect(events.some((event) => event.type === 'stop')).toBe(false)
      expect(error).toBeInstanceOf(ParleyError)
      expect(error).toMatchObject({ code: 'provider_error' })
    })

    test('an abort while tokens come ends the stream within a turn and the request upstream', async () => {
      const controller = new AbortController()
      const iterator = stream('endless', controller.signal)[Symbol.asyncIterator]()
      await iterator.next()
      expect(await endsWithinATurn(iterator, controller)).toBe(true)
      await subject.settled()
    })

    test('an abort while the model is silent ends the stream within a turn and the request upstream', async () => {
      const controller = new AbortController()
      const iterator = stream('silent', controller.signal)[Symbol.asyncIterator]()
      const pending = iterator.next().then(settledAs, settledAs)
      await nextTurn()
      controller.abort()
      expect(await Promise.race([pending, turns(2)])).toBe('settled')
      await subject.settled()
    })

    test('nothing is sent when the signal was aborted before', async () => {
      await failureOf(stream('text', AbortSignal.abort()))
      expect(subject.sent()).toBe(0)
    })

    test('leaving the loop ends the request upstream', async () => {
      let seen = 0
      for await (const events of stream('endless')) {
        seen += events.filter((event) => event.type === 'text').length
        if (seen >= 3) break
      }
      expect(seen).toBeGreaterThanOrEqual(3)
      await subject.settled()
    })

    test('two answers at a time do not mix', async () => {
      const [text, tools] = await Promise.all([collect(stream('text')), collect(stream('tools'))])
      expect(callsOf(text)).toEqual([])
      expect(joined(text)).toBe(joined(await collect(stream('text'))))
      expect(callsOf(tools).length).toBeGreaterThan(1)
    })
  })
}

/** One event that was on its way may still come with the abort, none after it. */
async function endsWithinATurn(
  iterator: AsyncIterator<readonly ModelEvent[]>,
  controller: AbortController,
): Promise<boolean> {
  const pending = iterator.next().then(settledAs, settledAs)
  controller.abort()
  if ((await Promise.race([pending, turns(2)])) !== 'settled') return false
  return iterator.next().then(
    ({ done }) => done === true,
    () => true,
  )
}

const settledAs = (): string => 'settled'

async function turns(count: number): Promise<string> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn()
  return 'still waiting'
}
