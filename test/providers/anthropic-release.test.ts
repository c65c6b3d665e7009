import { expect, test, vi } from 'vitest'
import { requestOf } from '../contracts/provider.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { stream } from '../support/messages-api.ts'
import { blockSteps, messageStart, text } from '../support/messages-api-events.ts'
import { type Subject, subjectOf } from './anthropic-subject.ts'

const ANSWERS = 10
const SAYS_ON = [messageStart(), ...blockSteps(text('on and on'), 0).slice(0, -1), { step: 'hold' } as const]

/** An answer that a person stops in the middle, as far as it is still in memory. */
async function stopped({ provider }: Subject): Promise<WeakRef<object>> {
  const controller = new AbortController()
  const answer = provider.stream(requestOf('hi'), controller.signal)
  for await (const events of answer) if (events.some(({ type }) => type === 'text')) break
  controller.abort()
  return new WeakRef(answer)
}

test('I7: answers that were stopped leave memory, with all that holds them', async () => {
  const subject = await subjectOf(() => stream(SAYS_ON))
  const answers: WeakRef<object>[] = []
  for (let count = 0; count < ANSWERS; count++) answers.push(await stopped(subject))
  await vi.waitFor(async () => {
    await collectGarbage()
    expect(answers.filter((answer) => answer.deref() !== undefined).length).toBeLessThan(2)
  })
})

test('an answer that is stopped long after it began still ends its request upstream', async () => {
  const subject = await subjectOf(() => stream(SAYS_ON))
  const controller = new AbortController()
  const answer = subject.provider.stream(requestOf('hi'), controller.signal)[Symbol.asyncIterator]()
  await answer.next()
  // The SDK forgets what links a signal to its request when the response is collected.
  for (let pass = 0; pass < 5; pass++) await collectGarbage()
  controller.abort()
  expect(await subject.api.requests[0]?.ended).toBe('aborted')
})
