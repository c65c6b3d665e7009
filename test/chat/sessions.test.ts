import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { Principal } from '../../src/ports/access.ts'
import { ANYONE, ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'

const MINUTE = 60_000

/** One answered message, then nobody. */
async function left(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  await talk(rig, id, 'm1')
  return { rig, id, loads: vi.spyOn(rig.store, 'load'), histories: vi.spyOn(rig.store, 'history') }
}

async function talk(rig: ChatRig, id: string, name: string): Promise<void> {
  const client = await rig.ready(id)
  const nth = rig.model.streams.length
  await client.say(name)
  ;(await rig.model.request(nth)).say('fine').stop()
  await client.end()
  client.cut()
  await turns()
}

describe('I8: a session in memory', () => {
  it('is read from the store once for all who come in the same moment, after a page for the first', async () => {
    const { rig, id } = await left()
    const next = rig.fork()
    const loads = vi.spyOn(next.store, 'load')
    const histories = vi.spyOn(next.store, 'history')
    await Promise.all(Array.from({ length: 5 }, () => next.ready(id)))
    expect(loads).toHaveBeenCalledTimes(1)
    expect(histories).toHaveBeenCalledTimes(2)
  })

  it('is not read again while memory has it', async () => {
    const { rig, id, loads, histories } = await left()
    const client = await rig.ready(id)
    expect(client.last('session.snapshot')?.messages).toHaveLength(2)
    expect([loads.mock.calls.length, histories.mock.calls.length]).toEqual([0, 0])
  })

  it('leaves after its idle time, and is read again; its log is another life', async () => {
    stopClock()
    const { rig, id, loads } = await left({ settings: { idleMs: 20 * MINUTE } })
    const before = await rig.ready(id)
    before.cut()
    await rig.pass(19 * MINUTE)
    await rig.pass(2 * MINUTE)
    const after = await rig.ready(id, {
      cursor: `${before.last('session.ready')?.epoch}-${before.last('session.ready')?.seq}`,
    })
    expect(loads).toHaveBeenCalledTimes(1)
    expect(after.last('session.ready')?.epoch).not.toBe(before.last('session.ready')?.epoch)
    expect(after.last('session.ready')?.resumed).toBe('snapshot')
    expect(after.last('session.snapshot')?.messages).toHaveLength(2)
  })

  it('stays however long it is idle while someone is connected', async () => {
    stopClock()
    const { rig, id, loads } = await left({ settings: { idleMs: 5 * MINUTE, pingEveryMs: MINUTE } })
    const client = await rig.ready(id)
    await rig.pass(12 * MINUTE)
    await rig.ready(id)
    expect(loads).not.toHaveBeenCalled()
    expect(client.closedWith).toBeUndefined()
  })

  it('stays while its run is on, watched or not', async () => {
    stopClock()
    const rig = new ChatRig({
      settings: { idleMs: MINUTE, recordCount: 1, runMs: 60 * MINUTE, providerStallMs: 60 * MINUTE },
    })
    const id = randomUUID()
    const client = await rig.ready(id)
    await client.say('m1')
    const stream = await rig.model.request(0)
    stream.say('half')
    await turns()
    const cursor = client.ids.at(-1) ?? ''
    client.cut()
    for (let nth = 0; nth < 3; nth++) (await rig.ready()).cut()
    await rig.pass(5 * MINUTE)
    stream.say(' whole').stop()
    const back = await rig.ready(id, { cursor })
    await back.end()
    expect(back.last('session.ready')?.resumed).toBe('tail')
    expect(back.text).toBe(' whole')
  })

  it('leaves by number, the least recently used first', async () => {
    stopClock()
    const { rig, id, loads } = await left({ settings: { recordCount: 2 } })
    const [second, third] = [randomUUID(), randomUUID()]
    for (const name of [second, id, third]) {
      ;(await rig.ready(name)).cut()
      await turns()
      await rig.pass(1000)
    }
    await rig.ready(id)
    await rig.ready(second)
    const loaded = loads.mock.calls.map(([asked]) => asked)
    expect(loaded).toEqual([second, third, second])
  })

  it('whose history left by size is read again when it is needed', async () => {
    const { rig, id, loads, histories } = await left({ settings: { historyBytes: 1000 } })
    await talk(rig, randomUUID(), 'another')
    const client = await rig.ready(id)
    expect(client.last('session.snapshot')?.messages).toHaveLength(2)
    expect(loads.mock.calls.filter(([asked]) => asked === id)).toEqual([])
    expect(histories).toHaveBeenCalled()
    await client.say('m2')
    expect((await rig.model.request(2)).request.messages).toHaveLength(3)
  })

  it('whose history nobody needed for its idle time keeps its record only, connected or not', async () => {
    stopClock()
    const { rig, id } = await left({ settings: { idleMs: 5 * MINUTE } })
    const client = await rig.ready(id)
    await rig.pass(4 * MINUTE)
    expect(rig.gauges.get('history_bytes')?.()).toBeGreaterThan(0)
    await rig.pass(2 * MINUTE)
    expect(rig.gauges.get('history_bytes')?.()).toBe(0)
    expect(client.closedWith).toBeUndefined()
  })

  it('that is not stored is asked for once in a while, not each time', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { idleMs: 1000 } })
    const loads = vi.spyOn(rig.store, 'load')
    const id = randomUUID()
    ;(await rig.ready(id)).cut()
    ;(await rig.ready(id)).cut()
    expect(loads).toHaveBeenCalledTimes(1)
    expect(rig.store.commits).toEqual([])
    expect(await rig.store.load(id)).toBeUndefined()
  })

  it('that was opened and nobody attached to leaves as all that are idle', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { idleMs: 1000 } })
    const loads = vi.spyOn(rig.store, 'load')
    const id = randomUUID()
    await rig.handshake(id)
    await rig.pass(500)
    await rig.handshake(id)
    expect(loads).toHaveBeenCalledTimes(1)
    await rig.pass(3000)
    await rig.handshake(id)
    expect(loads).toHaveBeenCalledTimes(2)
  })

  it.each([
    ['loaded', 0],
    ['idle', 1500],
  ])('that was %s when another process writes is there for whose verdict just came', async (_what, idleMs) => {
    stopClock()
    const { rig, id } = await left()
    const here = idleMs === 0 ? rig.fork() : rig
    await here.pass(idleMs)
    const verdict = await here.handshake(id)
    const elsewhere = await rig.fork().ready(id)
    await elsewhere.ask({ type: 'session.update', title: 'Changed elsewhere' })
    await turns()
    const client = here.open(verdict)
    await turns()
    expect(client.closedWith).toBeUndefined()
    expect(client.last('session.ready')).toMatchObject({ title: 'Changed elsewhere' })
  })

  it('I7: that was deleted elsewhere while it aged takes nothing of the next of its id with it', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { titles: true }, log: { idleMs: 5000 } })
    const id = randomUUID()
    rig.model.title = undefined
    await talk(rig, id, 'm1')
    await rig.pass(1500)
    rig.store.goDeaf()
    await rig.fork().chat.directory.delete({ app: 'default' }, id)
    rig.model.titleStreams[0]?.say('Late').stop()
    await turns()
    const client = await rig.ready(id)
    const { epoch, seq } = client.last('session.ready') ?? {}
    await client.say('m2')
    ;(await rig.model.request(1)).say('fine').stop()
    await client.end()
    client.cut()
    await rig.pass(1500)
    expect((await rig.ready(id, { cursor: `${epoch}-${seq}` })).last('session.ready')?.resumed).toBe('tail')
    await rig.pass(8000)
    expect((await rig.ready(id, { cursor: `${epoch}-${seq}` })).last('session.ready')?.resumed).toBe('snapshot')
  })

  it('opened while it leaves is one and the same for all', async () => {
    stopClock()
    const { rig, id } = await left({ settings: { recordCount: 1 } })
    await rig.pass(1000)
    const verdict = await rig.handshake(id)
    for (let nth = 0; nth < 2; nth++) {
      ;(await rig.ready(randomUUID())).cut()
      await rig.pass(1000)
    }
    await rig.ready(id)
    const stale = rig.open(verdict)
    expect(await stale.closed()).toMatchObject({ code: 4500 })
    const again = await rig.ready(id)
    const fresh = await rig.ready(id)
    await fresh.say('m2')
    expect((await again.event('RUN_STARTED')).chunk.threadId).toBe(id)
  })
})

describe('I10: a session', () => {
  const principals: Record<string, Principal> = {
    ann: { ...ANYONE, kind: 'ticket', account: 'acme', user: 'ann' },
    bob: { ...ANYONE, kind: 'ticket', account: 'acme', user: 'bob' },
    acme: { ...ANYONE, kind: 'key', keyKind: 'secret', account: 'acme' },
  }
  const identify: RigOptions['identify'] = async ({ header }) => principals[header('x-test') ?? ''] ?? ANYONE
  const as = (name: string) => ({ headers: { 'x-test': name } })

  it.each(['bob', 'acme', 'nobody'])('is not found by %s, in memory and in the store', async (name) => {
    const rig = new ChatRig({ identify })
    const id = randomUUID()
    const client = await rig.ready(id, as('ann'))
    await client.say('m1')
    ;(await rig.model.request(0)).stop()
    await client.end()
    for (const process of [rig, rig.fork()]) {
      const foreign = await process.connect(id, as(name))
      expect(await foreign.closed()).toEqual({ code: 4404, reason: 'session_not_found' })
      expect(foreign.controls('error')).toMatchObject([{ code: 'session_not_found' }])
    }
    expect((await rig.ready(id, as('ann'))).last('session.snapshot')?.messages).toHaveLength(1)
  })
})
