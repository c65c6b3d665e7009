import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import { turns } from '../support/turns.ts'

const KIB = 1024
const SWEEP_MS = 50

/** A run whose model is listening, and two tabs that watch it: one reads, one may stall. */
async function watched(options: RigOptions = {}) {
  stopClock()
  const rig = new ChatRig({ settings: { behindBytes: 4 * KIB, outboxBytes: 16 * KIB }, ...options })
  const id = randomUUID()
  const [fast, slow] = [await rig.ready(id), await rig.ready(id)]
  await fast.say('m1')
  return { rig, id, fast, slow, stream: await rig.model.request(0) }
}

type Watched = Awaited<ReturnType<typeof watched>>

/** The model says `count` pieces of `size`, each in its own turn of the loop. */
async function pour({ stream }: Pick<Watched, 'stream'>, count: number, size = 100): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    stream.say(`${nth}`.padEnd(size, '.'))
    await turns(2)
  }
}

const contents = (socket: FakeSocket) => socket.types.filter((type) => type === 'TEXT_MESSAGE_CONTENT').length

describe('I7: a connection whose socket fills', () => {
  it('leaves the group at the mark, costs no more, and reads the log merged once it drains', async () => {
    const watch = await watched()
    const { rig, id, fast, slow } = watch
    await turns()
    expect(rig.groups.sizeOf(id)).toBe(2)
    slow.stalled = true
    await pour(watch, 40)
    await rig.pass(SWEEP_MS)
    const held = slow.buffered()
    expect(held).toBeGreaterThan(4 * KIB)
    expect(rig.groups.sizeOf(id)).toBe(0)
    await pour(watch, 100)
    expect(slow.buffered()).toBe(held)
    slow.read()
    expect(slow.text).toBe(fast.text)
    expect(contents(slow)).toBeLessThan(contents(fast) / 2)
    expect(rig.groups.sizeOf(id)).toBe(2)
    watch.stream.say('!').stop()
    await slow.end()
    expect(slow.text).toBe(fast.text)
    expect(slow.ids.at(-1)).toBe(fast.ids.at(-1))
  })

  it('P-31: is told how things stand when it has caught up', async () => {
    const watch = await watched()
    const { rig, fast, slow } = watch
    await turns()
    slow.stalled = true
    await pour(watch, 60)
    await rig.pass(SWEEP_MS)
    await fast.ask({ type: 'session.update', title: 'Changed meanwhile', wallet: { address: 'a', chain: '1' } })
    await fast.say('m2')
    slow.read()
    expect(slow.last('session.updated')).toMatchObject({ title: 'Changed meanwhile', wallet: { address: 'a' } })
    expect(slow.last('session.status')).toMatchObject({ queued: 1 })
  })

  it('P-32: gets the answers to its commands at once', async () => {
    const watch = await watched()
    await turns()
    watch.slow.stalled = true
    await pour(watch, 60)
    await watch.rig.pass(SWEEP_MS)
    const asked = watch.slow.ask({ type: 'run.cancel' })
    await turns()
    watch.slow.sip()
    expect(await asked).toMatchObject({ state: 'cancelling' })
  })

  it('catches up in sips as its socket takes them, and is never given more than the mark and one frame', async () => {
    const watch = await watched()
    const { rig, fast, slow } = watch
    await turns()
    slow.stalled = true
    await pour(watch, 50)
    await rig.pass(SWEEP_MS)
    await pour(watch, 400)
    let most = 0
    for (let nth = 0; nth < 100 && slow.text !== fast.text; nth++) {
      slow.sip()
      most = Math.max(most, slow.buffered())
    }
    slow.read()
    expect(slow.text).toBe(fast.text)
    expect(most).toBeLessThan(4 * KIB + 40 * KIB)
  })

  it('is closed with 4503 when what it has not read left the log, and comes back with its cursor', async () => {
    const watch = await watched({
      settings: { behindBytes: 4 * KIB, outboxBytes: 1024 * KIB },
      log: { runEntries: 20, runBytes: 8 * KIB },
    })
    const { rig, id, fast, slow, stream } = watch
    await turns()
    slow.stalled = true
    await pour(watch, 50)
    await rig.pass(SWEEP_MS)
    await pour(watch, 300)
    slow.read()
    expect(await slow.closed()).toEqual({ code: 4503, reason: 'slow_consumer' })
    const back = await rig.ready(id, { cursor: slow.ids.at(-1) ?? '' })
    expect(back.last('session.ready')?.resumed).toBe('snapshot')
    stream.stop()
    await back.end()
    expect((back.last('session.snapshot')?.messages.at(-1)?.content ?? '') + back.text === fast.text).toBe(true)
  })

  it('is closed with 4503 when it is alone and its outbox is full before the sweep', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { behindBytes: 4 * KIB, outboxBytes: 16 * KIB } })
    const client = await rig.ready()
    await client.say('m1')
    const stream = await rig.model.request(0)
    await turns()
    client.stalled = true
    await pour({ stream }, 200)
    expect(client.closedWith).toEqual({ code: 4503, reason: 'slow_consumer' })
    expect(stream.signal.aborted).toBe(false)
  })

  it('is closed with 4503 when its first frame is too much for it, and gives its place back once', async () => {
    const rig = new ChatRig()
    const id = randomUUID()
    const client = await rig.ready(id)
    await client.say('m1')
    await client.event('RUN_STARTED')
    const cursor = client.ids.at(-1) ?? ''
    const back = rig.open(await rig.handshake(id, { cursor }), (socket) => {
      socket.stalled = true
      socket.limit = 10
    })
    expect(back.closedWith).toEqual({ code: 4503, reason: 'slow_consumer' })
    await turns()
    expect(rig.held.connections).toBe(1)
    client.cut()
    await turns()
    expect(rig.held.connections).toBe(0)
    expect(rig.counted.filter(({ metric }) => metric === 'connections_closed_total')).toHaveLength(2)
  })

  it.each([1, 2])('is closed with 4503 when a frame was dropped (%i watching)', async (tabs) => {
    stopClock()
    const rig = new ChatRig()
    const id = randomUUID()
    const client = await rig.ready(id)
    if (tabs === 2) await rig.ready(id)
    await client.say('m1')
    const stream = await rig.model.request(0)
    await turns()
    client.stalled = true
    client.limit = 500
    await pour({ stream }, 10)
    expect(client.closedWith).toEqual({ code: 4503, reason: 'slow_consumer' })
    stream.stop()
    await turns()
    expect(await rig.stored(id)).toMatchObject([{}, { role: 'assistant' }])
  })
})

describe('I6 P-29: a client that joins a long answer', () => {
  const SAID = 3 * 1024 * KIB

  /** A client that comes when 3 MiB were said, and takes only what it asks for. */
  async function late(watch: Watched) {
    for (let said = 0; said < SAID; said += 32 * KIB) watch.stream.say(`${said}`.padEnd(32 * KIB, '.'))
    await turns()
    const client = watch.rig.open(await watch.rig.handshake(watch.id), (socket) => {
      socket.stalled = true
      // What a transport lets wait before it drops frames.
      socket.limit = 1024 * KIB
    })
    await turns()
    return client
  }

  it('gets the answer so far as its socket takes it, then what followed, and costs no more than the mark and two frames', async () => {
    const watch = await watched()
    const client = await late(watch)
    let most = 0
    for (let nth = 0; nth < 1000 && client.text.length < SAID; nth++) {
      most = Math.max(most, client.buffered())
      client.sip()
      if (nth === 3) await pour(watch, 20)
    }
    expect(most).toBeLessThan(4 * KIB + 2 * 40 * KIB)
    client.read()
    expect(client.text).toBe(watch.fast.text)
    expect(watch.rig.groups.sizeOf(watch.id)).toBe(3)
    watch.stream.say('!').stop()
    await client.end()
    expect(client.text).toBe(watch.fast.text)
    expect(client.closedWith).toBeUndefined()
  })

  it('is closed with 4503 when what followed has left the log before it came to it', async () => {
    const watch = await watched({ log: { runEntries: 20, runBytes: 8 * KIB } })
    const client = await late(watch)
    await pour(watch, 300)
    client.sip()
    for (let nth = 0; nth < 1000 && client.closedWith === undefined; nth++) client.sip()
    expect(client.closedWith).toEqual({ code: 4503, reason: 'slow_consumer' })
  })
})

describe('I7: many who join a long answer at once', () => {
  it('are each told a share of it in a turn, so that others have theirs in between', async () => {
    const watch = await watched()
    for (let said = 0; said < 40; said++) watch.stream.say(`${said}`.padEnd(32 * KIB, '.'))
    await turns()
    const verdicts = await Promise.all(Array.from({ length: 10 }, () => watch.rig.handshake(watch.id)))
    const crowd = verdicts.map((verdict) => watch.rig.open(verdict))
    await turns(1)
    expect(Math.max(...crowd.map(({ text }) => text.length))).toBeLessThan(4 * 32 * KIB)
    watch.stream.say('!')
    await turns(200)
    for (const client of crowd) expect(client.text === watch.fast.text).toBe(true)
    expect(watch.rig.groups.sizeOf(watch.id)).toBe(12)
  })
})

describe('I7: one who comes back to a log of megabytes', () => {
  it('is told a share of it in a turn', async () => {
    const watch = await watched()
    const { epoch, seq } = watch.slow.last('session.ready') ?? {}
    for (let said = 0; said < 40; said++) {
      watch.stream.say(`${said}`.padEnd(32 * KIB, '.'))
      await turns(2)
    }
    const client = watch.rig.open(await watch.rig.handshake(watch.id, { cursor: `${epoch}-${seq}` }))
    expect(client.text.length).toBeLessThan(4 * 32 * KIB)
    await turns(200)
    expect(client.text === watch.fast.text).toBe(true)
  })
})

describe('I7: many who fell behind and read again at once', () => {
  it('catch up in turns, so that others have theirs in between', async () => {
    const watch = await watched()
    const crowd = await Promise.all(Array.from({ length: 12 }, () => watch.rig.ready(watch.id)))
    for (const client of crowd) client.stalled = true
    await pour(watch, 60)
    await watch.rig.pass(SWEEP_MS)
    await pour(watch, 60)
    const whole = () => crowd.filter(({ text }) => text === watch.fast.text).length
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now++)
    for (const client of crowd) client.read()
    expect(whole()).toBeLessThan(6)
    await turns(24)
    vi.restoreAllMocks()
    expect(whole()).toBe(12)
  })
})

describe('I7: a crowd that watches a fast answer', () => {
  it('is told in turns, and a model that is faster waits for it; who watches another answer does not', async () => {
    stopClock()
    const rig = new ChatRig()
    const [crowded, id] = [randomUUID(), randomUUID()]
    const crowd = await Promise.all(Array.from({ length: 8 }, () => rig.ready(crowded)))
    const [asker, other] = [crowd[0], await rig.ready(id)]
    await asker?.say('m1')
    const fast = await rig.model.request(0)
    await other.say('m2')
    const calm = await rig.model.request(1)
    await turns()
    const KIB_SAID = 640
    for (let said = 0; said < KIB_SAID; said += 32) fast.say(`${said}`.padEnd(32 * KIB, '.'))
    calm.say('calm')
    let [most, calmAt] = [0, Number.POSITIVE_INFINITY]
    for (let turn = 0, before = 0; turn < 20 && before < KIB_SAID * KIB; turn++) {
      await turns(1)
      const told = asker?.text.length ?? 0
      most = Math.max(most, told - before)
      before = told
      if (other.text === 'calm') calmAt = Math.min(calmAt, turn)
    }
    expect(calmAt).toBeLessThan(2)
    // Two MiB, and the frame that went beyond.
    expect(most * crowd.length).toBeLessThanOrEqual(2 * 1024 * KIB + crowd.length * 32 * KIB)
    for (const client of crowd) expect(client.text.length).toBe(KIB_SAID * KIB)
  })
})

describe('groups', () => {
  it('hold nobody while one watches, all when there are several, nobody again when one is left', async () => {
    const rig = new ChatRig()
    const id = randomUUID()
    const first = await rig.ready(id)
    expect(rig.groups.sizeOf(id)).toBe(0)
    const second = await rig.ready(id)
    expect(rig.groups.sizeOf(id)).toBe(2)
    const third = await rig.ready(id)
    expect(rig.groups.sizeOf(id)).toBe(3)
    second.cut()
    await turns()
    expect(rig.groups.sizeOf(id)).toBe(2)
    first.cut()
    await turns()
    expect(rig.groups.sizeOf(id)).toBe(0)
    await third.say('m1')
    ;(await rig.model.request(0)).say('fine').stop()
    await third.end()
    expect(third.text).toBe('fine')
  })

  it('of one session hear nothing of another', async () => {
    const rig = new ChatRig()
    const ids = [randomUUID(), randomUUID()]
    const [mine, mineToo] = [await rig.ready(ids[0]), await rig.ready(ids[0])]
    const [other, otherToo] = [await rig.ready(ids[1]), await rig.ready(ids[1])]
    await mine.say('m1')
    ;(await rig.model.request(0)).say('fine').stop()
    await mineToo.end()
    expect([...other.events, ...otherToo.events]).toEqual([])
  })
})
