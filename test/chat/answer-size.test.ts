import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { ChatRig } from '../support/chat-rig.ts'

const MIB = 1024 * 1024
/** Above what any answer of TEST_APP's 1,000 tokens may hold. */
const TOO_MUCH = 5 * MIB

async function begin() {
  const rig = new ChatRig()
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  return { rig, id, client, stream: await rig.model.request(0) }
}

test('I5 I7: calls without an end are stopped at a bound; each has a result, and the next message works', async () => {
  const { rig, id, client, stream } = await begin()
  for (let nth = 0; nth < 200; nth++) stream.call(`t${nth}`, 'echo', {})
  expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'run_limit' })
  const rows = await rig.stored(id)
  expect([rows[1]?.toolCalls?.length, rows.filter(({ role }) => role === 'tool').length]).toEqual([128, 128])
  await client.say('m2')
  ;(await rig.model.request(1)).stop()
  expect(await client.end(1)).toMatchObject({ type: 'RUN_FINISHED' })
})

test('I5 P-8: a call of a name that no tool can have is kept by one that every provider takes', async () => {
  const { rig, client, stream } = await begin()
  stream
    .call('t1', `functions.${'x'.repeat(300_000)}`, {})
    .call('t2', '', {})
    .stop('tools')
  const [, answer, result] = (await rig.model.request(1)).request.messages
  expect(answer).toMatchObject({ toolCalls: [{ name: `functions_${'x'.repeat(54)}` }, { name: '_' }] })
  expect(result).toMatchObject({ toolCallId: 't1', isError: true })
  ;(await rig.model.request(1)).stop()
  await client.end()
})

test('I1 I7: an answer that never ends is stopped at a bound, once, what it said is kept, and the next message works', async () => {
  const { rig, id, client, stream } = await begin()
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
