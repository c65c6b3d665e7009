import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ModelEvent } from '../../src/ports/provider.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { collect, failureOf, joined, requestOf } from '../contracts/provider.ts'
import { stream } from '../support/messages-api.ts'
import { answer, type Step, text, thinking, toolUse } from '../support/messages-api-events.ts'
import { type Subject, subjectOf } from './anthropic-subject.ts'

const ANSWER = answer([
  thinking('hm — ja', 'sig=='),
  text('Grüße, 世界 🌍!'),
  toolUse('toolu_1', 'calculator', { expression: '2×2' }),
])

function bytesOf(steps: readonly Step[]): Buffer {
  return Buffer.concat(steps.map((step) => (step.step === 'send' ? Buffer.from(step.bytes) : Buffer.alloc(0))))
}

const WHOLE = bytesOf(ANSWER)
/** Everything up to and with the last event is an answer, even when the last line end is missing. */
const LAST_EVENT_ENDS = WHOLE.length - 1

function send(bytes: Uint8Array): Step {
  return { step: 'send', bytes, token: false }
}

function stream1(subject: Subject): AsyncIterable<readonly ModelEvent[]> {
  return subject.provider.stream(requestOf('hi'), new AbortController().signal)
}

test('an answer is the same however its bytes are split and its lines end', async () => {
  const { api, provider } = await subjectOf([stream(ANSWER)])
  const expected = await collect(stream1({ api, provider }))
  expect(joined(expected)).toBe('Grüße, 世界 🌍!')
  const crlf = Buffer.from(WHOLE.toString().replaceAll('\n', '\r\n'))
  for (const bytes of [WHOLE, crlf])
    for (const bytesPerWrite of [1, 2, 3, 7, 64]) {
      api.script = [stream([send(bytes)], { bytesPerWrite })]
      expect(await collect(stream1({ api, provider }))).toEqual(expected)
    }
})

test('an answer that ends early is an error after a prefix of its events, at whichever byte', async () => {
  const subject = await subjectOf([stream(ANSWER)])
  const whole = await collect(stream1(subject))
  for (let end = 0; end < LAST_EVENT_ENDS; end += 1) {
    // A body that ends in order ends its last event, too.
    const cut: readonly Step[] = end % 2 === 0 || end > WHOLE.lastIndexOf('}') ? [{ step: 'cut' }] : []
    subject.api.script = [stream([send(WHOLE.subarray(0, end)), ...cut])]
    const { events, error } = await failureOf(stream1(subject))
    expect(error).toBeInstanceOf(ParleyError)
    expect(error).toMatchObject({ code: 'provider_error' })
    expect(whole.slice(0, events.length)).toEqual(events)
  }
}, 60_000)

test.each(['', '\n', '\r\n'])(
  'an answer is whole without the blank line behind its last event: %j ends it',
  async (ending) => {
    const subject = await subjectOf([stream(ANSWER)])
    const expected = await collect(stream1(subject))
    subject.api.script = [stream([send(Buffer.from(`${WHOLE.toString().trimEnd()}${ending}`))])]
    expect(await collect(stream1(subject))).toEqual(expected)
  },
)

test('bytes that are not the API’s never hang, and throw nothing but provider_error', async () => {
  const subject = await subjectOf([])
  const line = fc.oneof(
    fc.string(),
    fc.json().map((json) => `data: ${json}`),
    fc.constantFrom(
      'event: ping',
      ': comment',
      'data:',
      'data: {"type":"message_stop"}',
      'data: {"type":"error"}',
      'id: 7',
      '',
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.uint8Array(), async (lines, tail) => {
      subject.api.script = [stream([send(Buffer.concat([Buffer.from(lines.join('\n')), tail]))])]
      const { error } = await failureOf(stream1(subject))
      expect(error).toMatchObject({ name: 'ParleyError', code: 'provider_error' })
    }),
    { numRuns: 150 },
  )
}, 30_000)

test('a slow reader holds the sender back instead of filling the memory (I7)', async () => {
  const parts = 40
  const megabyte = 'x'.repeat(1024 * 1024)
  const steps = answer([{ type: 'text', deltas: Array.from({ length: parts }, () => megabyte) }])
  const subject = await subjectOf([stream(steps), stream(steps)])
  const slow = stream1(subject)[Symbol.asyncIterator]()
  await slow.next()
  // Another reader takes the same answer whole: time enough for the first one's to arrive, were it read.
  expect(joined(await collect(stream1(subject)))).toHaveLength(parts * megabyte.length)
  expect(subject.api.requests.map(({ outcome }) => outcome)).toEqual([undefined, 'completed'])
  expect(joined(await collect({ [Symbol.asyncIterator]: () => slow }))).toHaveLength(parts * megabyte.length)
})
