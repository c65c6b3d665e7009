import { describe, expect, it } from 'vitest'
import { ChatRig, TEST_APP } from '../support/chat-rig.ts'

describe('a changed App', () => {
  it('holds from the next run on in an open connection, and not in the one that is on', async () => {
    const rig = new ChatRig()
    const client = await rig.ready()
    await client.say('m1')
    const first = await rig.model.request(0)
    rig.app = { ...TEST_APP, preamble: 'You are changed.', tools: [] }
    first.call('t1', 'echo', {}).stop('tools')
    const second = await rig.model.request(1)
    second.say('done').stop()
    await client.event('RUN_FINISHED')
    await client.say('m2')
    const third = await rig.model.request(2)
    expect([first, second].map(({ request }) => request.system)).toEqual([TEST_APP.preamble, TEST_APP.preamble])
    expect(third.request).toMatchObject({ system: 'You are changed.', tools: [] })
  })
})
