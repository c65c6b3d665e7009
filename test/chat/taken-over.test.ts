import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, ECHO, stopClock } from '../support/chat-rig.ts'
import { faultsOf } from '../support/model-audit.ts'
import { turns } from '../support/turns.ts'

const settings = { checkpointMs: 1000 }

/** A run in one process that another took for dead, and ended; with `holds` that end is still on its way into the store. */
async function taken({ holds = false } = {}) {
  stopClock()
  const rig = new ChatRig({ settings, tools: [ECHO] })
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const { runId = '' } = client.last('session.status') ?? {}
  const stream = await rig.model.request(0)
  stream.say('half')
  await rig.pass(1500)
  const other = rig.fork()
  const watcher = await other.ready(id)
  rig.store.die()
  if (holds) other.store.hold()
  await other.pass(1100)
  return { rig, other, watcher, id, client, runId, stream }
}

describe('a run that another process took for dead while it was on', () => {
  it('I1: ends at its next checkpoint, once, as the other process stored it; nothing is streamed on', async () => {
    const { rig, other, watcher, id, client, runId, stream } = await taken()
    expect(stream.signal.aborted).toBe(false)
    stream.say(', and what nobody keeps')
    await rig.pass(1100)
    expect(stream.signal.aborted).toBe(true)
    expect(client.terminals).toMatchObject([{ type: 'RUN_FINISHED', runId, outcome: { type: 'cancelled' } }])
    expect(client.last('session.status')).toMatchObject({
      status: 'interrupted',
      lastRun: { runId, outcome: 'interrupted' },
    })
    expect(client.closedWith).toMatchObject({ code: 1013 })
    const back = await rig.ready(id)
    expect(back.last('session.ready')).toMatchObject({ resumed: 'snapshot', lastRun: { outcome: 'interrupted' } })
    expect(back.last('session.snapshot')?.messages.map(({ content }) => content)).toEqual(['text of m1', 'half'])
    expect(await watcher.say('m2')).toMatchObject({ state: 'started' })
    ;(await other.model.request(0)).say('two').stop()
    expect(await watcher.end()).toMatchObject({ outcome: { type: 'success' } })
  })

  it('I1: finds it out at its end, too: tells it as the other process stored it, and asks its clients back', async () => {
    const { rig, id, client, runId, stream } = await taken()
    stream.say(', and what nobody keeps').stop()
    expect(await client.end()).toMatchObject({ type: 'RUN_FINISHED', runId, outcome: { type: 'cancelled' } })
    await turns()
    expect(client.last('session.status')).toMatchObject({ lastRun: { runId, outcome: 'interrupted' } })
    expect(client.closedWith).toMatchObject({ code: 1013 })
    const back = await rig.ready(id)
    expect(back.last('session.snapshot')?.messages.map(({ content }) => content)).toEqual(['text of m1', 'half'])
  })

  it('P-75: is told as it ended here where that was stored, its answer lost, and another process gone on from it', async () => {
    stopClock()
    const rig = new ChatRig({ settings })
    const client = await rig.ready(randomUUID())
    await client.say('m1')
    const stream = await rig.model.request(0)
    const commit = rig.store.commit.bind(rig.store)
    vi.spyOn(rig.store, 'commit').mockImplementationOnce(async (write, options) => {
      await commit(write, options)
      throw new ParleyError('conflict')
    })
    stream.say('whole').stop()
    expect(await client.end()).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    expect(await client.say('m2')).toMatchObject({ state: 'started' })
    expect([client.closedWith, client.last('session.status')?.lastRun?.outcome]).toEqual([undefined, 'success'])
  })

  it('I1 P-75: stays as it ended here when it did so before the other process had it ended there', async () => {
    const { other, watcher, client, runId, stream } = await taken({ holds: true })
    stream.say(', whole').stop()
    expect(await client.end()).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    other.store.release()
    await other.pass(1100)
    expect(watcher.last('session.status')).toMatchObject({ status: 'idle', lastRun: { runId, outcome: 'success' } })
    expect(watcher.last('session.snapshot')?.messages.map(({ content }) => content)).toEqual([
      'text of m1',
      'half, whole',
    ])
  })

  it('I5: is ended with all that its own process stored until then, also what came behind the look at it', async () => {
    const { rig, other, watcher, stream } = await taken({ holds: true })
    stream.call('t1', 'echo', { text: 'x' }).stop('tools')
    await rig.model.request(1)
    other.store.release()
    await other.pass(1100)
    expect(await watcher.say('m2')).toMatchObject({ state: 'started' })
    const { request } = await other.model.request(0)
    expect(request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user'])
    expect(faultsOf(request)).toEqual([])
  })
})
