import { randomUUID } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'

async function begin(options: RigOptions = {}) {
  stopClock()
  const rig = new ChatRig(options)
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  return { rig, id, client, stream: await rig.model.request(0) }
}

describe('I12: a drain', () => {
  it('tells all when to come back, closes idle ones with 1012 within that time, and lets runs finish', async () => {
    const { rig, id, client, stream } = await begin({ settings: { reconnectMs: 1000 } })
    const idle = await rig.ready()
    const drained = rig.chat.drain(30_000)
    expect(idle.last('server.draining')).toEqual({ type: 'server.draining', reconnectInMs: 1000 })
    await rig.pass(1000)
    expect(await idle.closed()).toEqual({ code: 1012, reason: 'draining' })
    expect(client.last('server.draining')).toBeDefined()
    await rig.pass(10_000)
    expect(client.closedWith).toBeUndefined()
    stream.say('whole').stop()
    expect(await client.end()).toMatchObject({ outcome: { type: 'success' } })
    await rig.pass(100)
    await drained
    expect(client.closedWith).toEqual({ code: 1012, reason: 'draining' })
    expect(await rig.stored(id)).toMatchObject([{}, { content: 'whole' }])
  })

  it('closes idle connections evenly over the time after which they were asked back', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { reconnectMs: 1000 } })
    const idle = await Promise.all(Array.from({ length: 20 }, () => rig.ready()))
    const closed = () => idle.filter(({ closedWith }) => closedWith !== undefined).length
    const drained = rig.chat.drain(30_000)
    const seen = [closed()]
    for (let step = 0; step < 4; step++) {
      await rig.pass(250)
      seen.push(closed())
    }
    await rig.pass(100)
    await drained
    expect(seen).toEqual([0, 5, 10, 15, 20])
    expect(idle.every(({ closedWith }) => closedWith?.code === 1012)).toBe(true)
  })

  it('lets those go at twice the pace whom it held up, not at once', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { reconnectMs: 1000 } })
    const idle = await Promise.all(Array.from({ length: 20 }, () => rig.ready()))
    const closed = () => idle.filter(({ closedWith }) => closedWith !== undefined).length
    const drained = rig.chat.drain(30_000)
    // The event loop stood still.
    const now = performance.now.bind(performance)
    const stall = vi.spyOn(performance, 'now').mockImplementation(() => now() + 900)
    onTestFinished(() => stall.mockRestore())
    const seen = [closed()]
    for (let step = 0; step < 5; step++) {
      await rig.pass(100)
      seen.push(closed())
    }
    await rig.pass(100)
    await drained
    expect(seen).toEqual([0, 4, 8, 12, 16, 20])
  })

  it('that is short closes idle connections within its deadline, and at once when it is hurried', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { reconnectMs: 60_000 } })
    const idle = await rig.ready()
    const drained = rig.chat.drain(200)
    await rig.pass(200)
    expect(idle.closedWith?.code).toBe(1012)
    await drained
    const next = rig.fork()
    const other = await next.ready()
    const long = next.chat.drain(30_000)
    next.chat.hurry()
    await next.pass(50)
    await long
    expect(other.closedWith?.code).toBe(1012)
  })

  it('interrupts what is on at the deadline, and saves it before it resolves', async () => {
    const { rig, id, client, stream } = await begin()
    stream.say('half')
    await turns()
    let done = false
    const drained = rig.chat.drain(30_000).then(() => (done = true))
    await rig.pass(29_900)
    expect([done, stream.signal.aborted]).toEqual([false, false])
    rig.store.hold()
    await rig.pass(1000)
    expect([done, stream.signal.aborted]).toEqual([false, true])
    rig.store.release()
    await rig.pass(100)
    await drained
    expect(client.terminals).toMatchObject([{ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } }])
    expect(client.closedWith?.code).toBe(1012)
    expect(await rig.stored(id)).toMatchObject([{}, { content: 'half', interrupted: true }])
    const next = await rig.fork().ready(id)
    expect(next.last('session.ready')).toMatchObject({ status: 'interrupted', lastRun: { outcome: 'interrupted' } })
  })

  it('takes no new work: sends are refused, handshakes too, and what is queued waits for the next process', async () => {
    const { rig, id, client, stream } = await begin()
    await client.say('m2')
    const drained = rig.chat.drain(30_000)
    expect(await client.say('m3')).toMatchObject({ type: 'error', code: 'draining', retryable: true })
    expect(await client.ask({ type: 'run.retry', runId: 'x' })).toMatchObject({ code: 'draining' })
    const refused = await rig.connect(randomUUID())
    expect(await refused.closed()).toEqual({ code: 1012, reason: 'draining' })
    stream.say('one').stop()
    await client.end()
    await rig.pass(100)
    await drained
    expect(rig.model.streams).toHaveLength(1)
    const next = rig.fork()
    const again = await next.ready(id)
    ;(await next.model.request(0)).say('two').stop()
    await again.end()
    expect((await next.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'one', 'text of m2', 'two'])
  })

  it('lets a person stop a run still', async () => {
    const { rig, client } = await begin()
    const drained = rig.chat.drain(30_000)
    expect(await client.ask({ type: 'run.cancel' })).toMatchObject({ state: 'cancelling' })
    await client.end()
    await rig.pass(100)
    await drained
  })

  it('waits for a send that is being stored: it is acknowledged, and its run ends before the drain does', async () => {
    stopClock()
    const rig = new ChatRig()
    const other = await rig.ready()
    rig.store.hold()
    const acked = other.say('late')
    await turns()
    let done = false
    const drained = rig.chat.drain(1000).then(() => (done = true))
    await rig.pass(500)
    expect(done).toBe(false)
    rig.store.release()
    expect(await acked).toMatchObject({ state: 'started' })
    await rig.pass(1000)
    await drained
    expect(other.terminals).toHaveLength(1)
    expect(rig.runRows(other.last('session.ready')?.sessionId ?? '')).toMatchObject([{ status: 'interrupted' }])
  })

  it('that is hurried waits no longer for runs', async () => {
    const { rig, client } = await begin()
    const drained = rig.chat.drain(30_000)
    rig.chat.hurry()
    await rig.pass(200)
    await drained
    expect(client.terminals).toHaveLength(1)
  })

  it('resolves when the store is away, in the end', async () => {
    const { rig, stream } = await begin()
    stream.say('half')
    await turns()
    rig.store.goAway()
    const drained = rig.chat.drain(1000)
    await rig.pass(10_000)
    await expect(drained).resolves.toBeUndefined()
  })

  it('is the end: what other processes do is not asked about any more', async () => {
    const { rig, id, client, stream } = await begin()
    stream.stop()
    await client.end()
    const other = rig.fork()
    const drained = rig.chat.drain(0)
    await rig.pass(10_000)
    await drained
    const loads = vi.spyOn(rig.store, 'load')
    const follower = await other.ready(id)
    await follower.say('m2')
    await other.pass(2000)
    expect(loads).not.toHaveBeenCalled()
  })
})
