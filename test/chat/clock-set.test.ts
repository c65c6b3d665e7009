import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'

const HOUR_MS = 3_600_000

/** A run whose model is listening, when the machine's clock is set back by an hour. */
async function setBack(options: RigOptions = {}) {
  stopClock()
  const rig = new ChatRig(options)
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const stream = await rig.model.request(0)
  vi.setSystemTime(Date.now() - HOUR_MS)
  return { rig, id, client, stream }
}

describe('a clock that is set back', () => {
  it('keeps no answer from being saved once an interval', async () => {
    const { rig, id, stream } = await setBack({ settings: { checkpointMs: 1000 } })
    stream.say('half of ')
    await rig.pass(1200)
    expect(await rig.stored(id)).toMatchObject([{ role: 'user' }, { role: 'assistant', content: 'half of ' }])
  })

  it.each([
    ['provider_stalled', { providerStallMs: 5000 }],
    ['run_limit', { runMs: 5000 }],
  ] as const)('keeps no run from its limit: %s', async (code, settings) => {
    const { rig, client } = await setBack({ settings })
    await rig.pass(6000)
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code })
  })

  it('keeps no run that nobody watches from its end', async () => {
    const { rig, client, id } = await setBack({ app: { stopAfterDisconnectMs: 5000 } })
    client.cut()
    vi.setSystemTime(Date.now() - HOUR_MS)
    await rig.pass(6000)
    expect(rig.runRows(id).map(({ status }) => status)).toEqual(['interrupted'])
  })

  it('makes no client one that floods', async () => {
    const { client } = await setBack({ settings: { commandsPerSecond: 1, commandBurst: 5 } })
    expect(await client.ask({ type: 'run.cancel' })).toMatchObject({ type: 'ack' })
    expect(client.closedWith).toBeUndefined()
  })
})
