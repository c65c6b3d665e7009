import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { ChatRig } from '../support/chat-rig.ts'

const MIB = 1024 * 1024
/** Above what any answer of TEST_APP's 1,000 tokens may hold. */
const TOO_MUCH = 5 * MIB

test('I1 I7: an answer that never ends is stopped at a bound, once, what it said is kept, and the next message works', async () => {
  const rig = new ChatRig()
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const stream = await rig.model.request(0)
  for (let said = 0; said < TOO_MUCH; said += MIB) stream.say('x'.repeat(MIB))
  expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'run_limit' })
  expect(stream.left).toBe(true)
  const [, answer] = await rig.stored(id)
  expect(answer).toMatchObject({ role: 'assistant', interrupted: true })
  expect(answer?.content.length).toBe(TOO_MUCH - MIB)
  await client.say('m2')
  ;(await rig.model.request(1)).say('fine').stop()
  expect(await client.end(1)).toMatchObject({ type: 'RUN_FINISHED' })
  expect(client.terminals).toHaveLength(2)
})
