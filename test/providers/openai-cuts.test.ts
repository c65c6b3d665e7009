import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ModelEvent } from '../../src/ports/provider.ts'
import { collect, failureOf, joined, requestOf } from '../contracts/provider.ts'
import { calls, chatAnswer, chunk, says, thinks } from '../support/chat-api-events.ts'
import type { Step } from '../support/messages-api-events.ts'
import { stream } from '../support/stub-server.ts'
import { type ChatSubject, chatSubjectOf } from './openai-subject.ts'

const ANSWER = chatAnswer([
  thinks('hm — ja'),
  says('Grüße, 世界 🌍!'),
  calls('call_aaaaaaaaaaaaaaaaaaaaaaaa', 'calculator', { expression: '2×2' }),
])

function bytesOf(steps: readonly Step[]): Buffer {
  return Buffer.concat(steps.map((step) => (step.step === 'send' ? Buffer.from(step.bytes) : Buffer.alloc(0))))
}

const THOUGHT = { provider: 'openai', content: [{ reasoning_content: 'hm — ja' }], beside: true }
const WHOLE = bytesOf(ANSWER)
/** From here on the answer is whole: its finish reason has been said. Line ends may be missing where the body ends in order. */
const FINISHED = WHOLE.indexOf('"finish_reason":"tool_calls"}]}\n') + '"finish_reason":"tool_calls"}]}\n'.length

function send(bytes: Uint8Array): Step {
  return { step: 'send', bytes, token: false }
}

function answerOf(subject: ChatSubject): AsyncIterable<readonly ModelEvent[]> {
  return subject.provider.stream(requestOf('hi'), new AbortController().signal)
}

test('an answer is the same however its bytes are split and its lines end', async () => {
  const subject = await chatSubjectOf([stream(ANSWER)])
  const expected = await collect(answerOf(subject))
  expect(joined(expected)).toBe('Grüße, 世界 🌍!')
  const crlf = Buffer.from(WHOLE.toString().replaceAll('\n', '\r\n'))
  for (const bytes of [WHOLE, crlf])
    for (const bytesPerWrite of [1, 7, 64]) {
      subject.api.script = [stream([send(bytes)], { bytesPerWrite })]
      expect(await collect(answerOf(subject))).toEqual(expected)
    }
})

test('an answer that ends before its finish reason is an error after a prefix of its events, at whichever byte', async () => {
  const subject = await chatSubjectOf([stream(ANSWER)])
  const whole = await collect(answerOf(subject))
  for (let end = 0; end < FINISHED; end += 1) {
    const cut: readonly Step[] = end % 2 === 0 || end === FINISHED - 1 ? [{ step: 'cut' }] : []
    subject.api.script = [stream([send(WHOLE.subarray(0, end)), ...cut])]
    const { events, error } = await failureOf(answerOf(subject))
    expect(error).toMatchObject({ name: 'ParleyError', code: 'provider_error' })
    expect(whole.slice(0, events.length)).toEqual(events)
  }
}, 60_000)

test('an answer that is cut after its finish reason is whole, at whichever byte', async () => {
  const subject = await chatSubjectOf([])
  for (let end = FINISHED + 1; end < WHOLE.length; end += 1) {
    // What was written is on its way before the socket goes.
    const cut: readonly Step[] = end % 2 === 0 ? [{ step: 'wait', ms: 1 }, { step: 'cut' }] : []
    subject.api.script = [stream([send(WHOLE.subarray(0, end)), ...cut])]
    const events = await collect(answerOf(subject))
    expect(events.at(-1)).toEqual({ type: 'stop', reason: 'tools', blocks: THOUGHT })
  }
}, 60_000)

test.each(['', '\n', '\r\n'])(
  'an answer is whole without the blank line behind its last event: %j ends it',
  async (ending) => {
    const subject = await chatSubjectOf([stream(ANSWER)])
    const expected = await collect(answerOf(subject))
    const reason = Buffer.from(`${WHOLE.subarray(0, FINISHED).toString().trimEnd()}${ending}`)
    subject.api.script = [stream([send(reason)])]
    const events = await collect(answerOf(subject))
    expect(events).toEqual(expected.filter(({ type }) => type !== 'usage'))
  },
)

test('bytes that are not the API’s never hang, and throw nothing but provider_error', async () => {
  const subject = await chatSubjectOf([])
  const line = fc.oneof(
    fc.string(),
    fc.json().map((json) => `data: ${json}`),
    fc
      .record({ content: fc.json(), tool_calls: fc.json(), reasoning: fc.json() }, { requiredKeys: [] })
      .map((delta) => `data: ${JSON.stringify({ choices: [{ delta }] })}`),
    fc.constantFrom('event: ping', ': comment', 'data:', 'data: [DONE]', 'data: {"error":1}', 'id: 7', ''),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.uint8Array(), async (lines, tail) => {
      subject.api.script = [stream([send(Buffer.concat([Buffer.from(lines.join('\n')), tail]))])]
      const { error } = await failureOf(answerOf(subject))
      expect(error).toMatchObject({ name: 'ParleyError', code: 'provider_error' })
    }),
    { numRuns: 150 },
  )
}, 30_000)

test('a slow reader holds the sender back instead of filling the memory (I7)', async () => {
  const parts = 40
  const megabyte = 'x'.repeat(1024 * 1024)
  const rest = chatAnswer([]).slice(1)
  const steps = [...Array.from({ length: parts }, () => chunk({ content: megabyte })), ...rest]
  const subject = await chatSubjectOf([stream(steps), stream(steps)])
  const slow = answerOf(subject)[Symbol.asyncIterator]()
  const first = await slow.next()
  // Another reader takes the same answer whole: time enough for the first one's to arrive, were it read.
  expect(joined(await collect(answerOf(subject)))).toHaveLength(parts * megabyte.length)
  expect(subject.api.requests.map(({ outcome }) => outcome)).toEqual([undefined, 'completed'])
  const later = await collect({ [Symbol.asyncIterator]: () => slow })
  expect(joined([...(first.value ?? []), ...later])).toHaveLength(parts * megabyte.length)
})
