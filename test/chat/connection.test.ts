import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { Principal } from '../../src/ports/access.ts'
import type { CommandInput } from '../../src/protocol/commands.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ANYONE, ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'
import { deferred, turns } from '../support/turns.ts'

const BAD_FRAMES: readonly (readonly [string, string])[] = [
  ['is not JSON', 'hello'],
  ['is not an object', '[]'],
  ['has no type', '{}'],
  ['has an unknown type', '{"type":"message.unsend"}'],
  ['misses a field', '{"type":"message.send","content":"x"}'],
  ['has a field of another kind', '{"type":"run.cancel","all":"yes"}'],
  ['holds a lone surrogate', '{"type":"message.send","clientMessageId":"m","content":"\\ud83e"}'],
  ['holds NUL', '{"type":"message.send","clientMessageId":"m","content":"\\u0000"}'],
  ['is blank', '{"type":"message.send","clientMessageId":"m","content":" \\n"}'],
  ['nests too deep', `{"type":"run.resume","id":"x","resume":${'['.repeat(40)}${']'.repeat(40)}}`],
]

describe('a connection that a ticket opened', () => {
  it('P-114: is told with what it may come back, with a snapshot and with a tail', async () => {
    const rig = new ChatRig({ identify: async ({ session = '' }) => ({ ...ANYONE, kind: 'ticket', session }) })
    const id = randomUUID()
    const client = await rig.ready(id)
    const { epoch, seq } = client.last('session.ready') ?? {}
    const back = await rig.ready(id, { cursor: `${epoch}-${seq}` })
    expect(back.last('session.ready')).toMatchObject({ resumed: 'tail', reconnectToken: `back to ${id}` })
    expect(client.last('session.ready')).toMatchObject({ resumed: 'new', reconnectToken: `back to ${id}` })
    expect((await new ChatRig().ready()).last('session.ready')).not.toHaveProperty('reconnectToken')
  })
})

describe('a connection with a good cursor', () => {
  it('P-27: gets what it missed, how things stand, and nothing else', async () => {
    const rig = new ChatRig()
    const id = randomUUID()
    const client = await rig.ready(id)
    const { epoch, seq } = client.last('session.ready') ?? {}
    const kinds = async (cursor: string) => {
      const back = await rig.ready(id, { cursor })
      await turns()
      return back.frames.map((frame) => ('chunk' in frame ? frame.chunk.type : frame.type))
    }
    const standing = ['session.updated', 'session.status']
    expect(await kinds(`${epoch}-${seq}`)).toEqual(['session.ready', ...standing])
    await client.say('m1')
    expect(await kinds(`${epoch}-${seq}`)).toEqual(['session.ready', 'RUN_STARTED', ...standing])
  })
})

describe('a connection', () => {
  it.each(BAD_FRAMES)('P-10: lives after a frame that %s, and says what is wrong', async (_what, text) => {
    const client = await new ChatRig().ready()
    client.raw(text)
    expect(client.last('error')).toMatchObject({ code: 'bad_frame', retryable: false })
    expect(await client.say('m1')).toMatchObject({ state: 'started' })
  })

  it('P-10: says which command a bad frame was, never what it held', async () => {
    const client = await new ChatRig().ready()
    client.raw('{"type":"message.send","id":"r1","clientMessageId":"m1","content":{"secret":1}}')
    expect(client.last('error')).toMatchObject({ ref: 'r1', clientMessageId: 'm1' })
    expect(JSON.stringify(client.last('error'))).not.toContain('secret')
  })

  it('P-1, P-10: lives after a binary frame', async () => {
    const client = await new ChatRig().ready()
    client.binary()
    expect(client.last('error')).toMatchObject({ code: 'bad_frame' })
    expect(client.closedWith).toBeUndefined()
  })

  it('P-11: lives after a frame over 64 KiB, which nobody reads', async () => {
    const client = await new ChatRig().ready()
    client.raw(JSON.stringify({ type: 'message.send', clientMessageId: 'm1', content: 'x'.repeat(64 * 1024) }))
    expect(client.last('error')).toMatchObject({ code: 'frame_too_large' })
    client.raw('ü'.repeat(33 * 1024))
    expect(client.controls('error').map(({ code }) => code)).toEqual(['frame_too_large', 'frame_too_large'])
    expect(await client.say('m1')).toMatchObject({ state: 'started' })
  })

  it('P-12: is closed with 4400 at the tenth bad frame within a minute; nine a minute are lived with', async () => {
    stopClock()
    const rig = new ChatRig()
    const client = await rig.ready()
    for (let minute = 0; minute < 3; minute++) {
      for (let nth = 0; nth < 9; nth++) client.raw('x')
      await rig.pass(61_000)
    }
    expect(client.closedWith).toBeUndefined()
    for (let nth = 0; nth < 10; nth++) client.raw('x')
    expect(client.closedWith).toEqual({ code: 4400, reason: 'bad_frame' })
  })

  it('P-13: is told to slow down above its rate, and may go on after that', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { commandsPerSecond: 2, commandBurst: 3 } })
    const client = await rig.ready()
    const ask = () => client.ask({ type: 'run.cancel' })
    expect(await Promise.all([ask(), ask(), ask(), ask()])).toMatchObject([
      { state: 'noop' },
      { state: 'noop' },
      { state: 'noop' },
      { code: 'rate_limit_exceeded', retryable: true, retryAfterMs: 1000 },
    ])
    await rig.pass(2000)
    expect(await ask()).toMatchObject({ state: 'noop' })
    for (let nth = 0; nth < 20; nth++) client.command({ type: 'pong' })
    expect(client.controls('error')).toHaveLength(1)
  })

  it('P-13: is closed with 4429 when it goes on as if nothing was said', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { commandsPerSecond: 1, commandBurst: 5 } })
    const client = await rig.ready()
    for (let nth = 0; nth < 30; nth++) client.command({ type: 'run.cancel' })
    expect(await client.closed()).toEqual({ code: 4429, reason: 'rate_limit_exceeded' })
  })

  it('P-13: has at most 64 commands waiting for answers', async () => {
    const rig = new ChatRig()
    const client = await rig.ready()
    rig.store.hold()
    const asked = Array.from({ length: 66 }, (_, nth) => client.ask({ type: 'session.update', title: `t${nth}` }))
    await turns()
    expect(client.controls('error').map(({ ref }) => ref)).toEqual(['ref-65', 'ref-66'])
    rig.store.release()
    const answers = await Promise.all(asked)
    expect(answers.filter(({ type }) => type === 'ack')).toHaveLength(64)
  })

  it('P-14: takes no command before it is ready', async () => {
    const rig = new ChatRig()
    const id = randomUUID()
    const first = await rig.ready(id)
    await first.say('m1')
    ;(await rig.model.request(0)).stop()
    await first.end()
    const next = rig.fork()
    const { promise, resolve } = deferred()
    const history = next.store.history.bind(next.store)
    vi.spyOn(next.store, 'history').mockImplementation((...args) => promise.then(() => history(...args)))
    const early = await next.connect(id)
    expect(await early.say('m2')).toMatchObject({ code: 'bad_frame' })
    resolve()
    await early.control('session.ready')
    expect(await early.say('m2')).toMatchObject({ state: 'started' })
  })

  it('P-87: is the oldest to go, with 4409, when a session has too many', async () => {
    const rig = new ChatRig({ settings: { connectionsPerSession: 3 } })
    const id = randomUUID()
    const clients = []
    for (let nth = 0; nth < 5; nth++) clients.push(await rig.ready(id))
    expect(clients.map(({ closedWith }) => closedWith?.code)).toEqual([4409, 4409, undefined, undefined, undefined])
    await clients[4]?.say('m1')
    await clients[2]?.event('RUN_STARTED')
  })

  it('P-87: stays for one whose line is down, however new that one is', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { connectionsPerSession: 4 } })
    const id = randomUUID()
    const [first, second, third] = [await rig.ready(id), await rig.ready(id), await rig.ready(id)]
    await vi.advanceTimersByTimeAsync(1000)
    const fourth = await rig.ready(id)
    first.pong()
    third.pong()
    await vi.advanceTimersByTimeAsync(250)
    const fifth = await rig.ready(id)
    const codes = () => [first, second, third, fourth, fifth].map(({ closedWith }) => closedWith?.code)
    expect(codes()).toEqual([undefined, 4409, undefined, undefined, undefined])
    await rig.pass(1000)
    await rig.ready(id)
    expect(codes()).toEqual([4409, 4409, undefined, undefined, undefined])
  })

  it('P-22: gives its place among the connections of its address back, and is closed when that went to another', async () => {
    let places = 1
    const admitConnection = () => {
      if (places === 0) throw new ParleyError('rate_limit_exceeded', { retryAfterMs: 1000 })
      places--
    }
    const rig = new ChatRig({ admitConnection, leaveConnection: () => void places++ })
    const verdicts = [await rig.handshake(randomUUID()), await rig.handshake(randomUUID())]
    const [first, second] = verdicts.map((verdict) => rig.open(verdict))
    expect(second?.closedWith).toEqual({ code: 4429, reason: 'rate_limit_exceeded' })
    expect(await rig.handshake(randomUUID())).toMatchObject({ accept: false, refusal: { status: 429 } })
    first?.cut()
    await turns()
    expect(places).toBe(1)
    await rig.ready()
  })

  it('P-22: takes no place of its address where its key or its App has none left', async () => {
    let places = 1
    const admitGuest = (): void => {
      throw new ParleyError('rate_limit_exceeded', { retryAfterMs: 1000 })
    }
    const rig = new ChatRig({
      admitGuest,
      admitConnection: () => void places--,
      leaveConnection: () => void places++,
    })
    expect(await rig.handshake(randomUUID())).toMatchObject({ accept: false, refusal: { status: 429 } })
    expect(places).toBe(1)
  })

  it('P-89: is told where its account stands after what counts, and after nothing else', async () => {
    const standing = async () => ({ name: 'minute', limit: 10, remaining: 9, resetMs: 6000 }) as const
    const client = await new ChatRig({ standing }).ready()
    await client.ask({ type: 'history.get', before: 'none' })
    await client.ask({ type: 'run.cancel', runId: 'none' })
    await turns()
    expect(client.controls('rate_limit')).toEqual([])
    await client.say('m1')
    await turns()
    expect(client.controls('rate_limit')).toEqual([
      { type: 'rate_limit', name: 'minute', limit: 10, remaining: 9, resetMs: 6000 },
    ])
  })

  it('counts with what waits for it among the bytes that metrics show', async () => {
    const rig = new ChatRig()
    const id = randomUUID()
    const [client, other] = [await rig.ready(id), await rig.ready(id)]
    other.stalled = true
    await client.say('m1')
    ;(await rig.model.request(0)).say('fine').stop()
    await client.end()
    expect(other.buffered()).toBeGreaterThan(0)
    expect(rig.gauges.get('outbox_bytes')?.()).toBe(other.buffered())
  })
})

describe('signs of life', () => {
  const settings = { pingEveryMs: 25_000, deadAfterMs: 10_000 }

  async function silent() {
    stopClock()
    const rig = new ChatRig({ settings })
    return { rig, client: await rig.ready() }
  }

  it('P-90: are asked for every 25 s, by frame and by protocol ping, and missed after 35 s with 4408', async () => {
    const { client } = await silent()
    expect(client.last('session.ready')?.heartbeatMs).toBe(25_000)
    await vi.advanceTimersByTimeAsync(24_000)
    expect(client.pings).toBe(0)
    await vi.advanceTimersByTimeAsync(2000)
    expect([client.pings, client.controls('ping').length]).toEqual([1, 1])
    await vi.advanceTimersByTimeAsync(8000)
    expect(client.closedWith).toBeUndefined()
    await vi.advanceTimersByTimeAsync(2500)
    expect(client.closedWith).toEqual({ code: 4408, reason: 'no_sign_of_life' })
  })

  it('P-90: are asked for 25 s after it opened, however long the server is up', async () => {
    const { rig } = await silent()
    await vi.advanceTimersByTimeAsync(600_000)
    const client = await rig.ready()
    await vi.advanceTimersByTimeAsync(24_000)
    expect(client.pings).toBe(0)
    await vi.advanceTimersByTimeAsync(2000)
    expect(client.pings).toBe(1)
  })

  it('P-90: are missed as soon when the clock is set back an hour', async () => {
    const { rig } = await silent()
    vi.setSystemTime(Date.now() - 3_600_000)
    const client = await rig.ready()
    await vi.advanceTimersByTimeAsync(37_000)
    expect(client.pings).toBe(1)
    expect(client.closedWith).toEqual({ code: 4408, reason: 'no_sign_of_life' })
  })

  it.each([
    ['a protocol pong', (client: Awaited<ReturnType<typeof silent>>['client']) => client.pong()],
    ['a pong frame', (client: Awaited<ReturnType<typeof silent>>['client']) => client.command({ type: 'pong' })],
    ['even a bad frame', (client: Awaited<ReturnType<typeof silent>>['client']) => client.raw('x')],
  ])('P-90: are %s', async (_what, live) => {
    const { client } = await silent()
    for (let nth = 0; nth < 4; nth++) {
      await vi.advanceTimersByTimeAsync(30_000)
      live(client)
    }
    expect(client.closedWith).toBeUndefined()
    await vi.advanceTimersByTimeAsync(37_000)
    expect(client.closedWith?.code).toBe(4408)
  })
})

describe('I7: many who die together', () => {
  it('P-90: are closed in turns, so that others have theirs in between', async () => {
    stopClock()
    const rig = new ChatRig()
    const crowd = await Promise.all(Array.from({ length: 12 }, () => rig.ready()))
    const closed = () => crowd.filter(({ closedWith }) => closedWith?.code === 4408).length
    // Every look at the clock takes a millisecond.
    const clock = performance.now.bind(performance)
    let looks = 0
    vi.spyOn(performance, 'now').mockImplementation(() => clock() + looks++)
    while (closed() === 0) vi.advanceTimersByTime(1000)
    expect(closed()).toBeLessThan(6)
    await turns(12)
    expect(closed()).toBe(12)
    vi.restoreAllMocks()
  })
})

describe('signs of life that are asked for more often than the server looks', () => {
  it('P-90: are waited for from the ping on: who answers each one stays, who does not is closed with 4408', async () => {
    stopClock()
    const rig = new ChatRig({ settings: { pingEveryMs: 1000, deadAfterMs: 500 } })
    // Between two looks of the server: its first ping comes almost two intervals later.
    await vi.advanceTimersByTimeAsync(300)
    const [answers, silent] = [await rig.ready(), await rig.ready()]
    for (let answered = 0, nth = 0; nth < 60; nth++) {
      await vi.advanceTimersByTimeAsync(100)
      if (answers.pings > answered) answers.pong()
      answered = answers.pings
    }
    expect(answers.closedWith).toBeUndefined()
    expect(answers.pings).toBeGreaterThan(3)
    expect(silent.pings).toBe(1)
    expect(silent.closedWith?.code).toBe(4408)
  })
})

describe('I9: every command', () => {
  const reader: RigOptions = { identify: async () => ({ ...ANYONE, scopes: ['read'] }) }

  it('P-34: is authorised: a key that may only read changes nothing', async () => {
    const rig = new ChatRig(reader)
    const client = await rig.ready()
    const commands: readonly CommandInput[] = [
      { type: 'message.send', clientMessageId: 'm1', content: 'x' },
      { type: 'run.cancel' },
      { type: 'run.retry', runId: 'r' },
      { type: 'run.resume', resume: [{ interruptId: 'i', status: 'cancelled' }] },
      { type: 'tool.claim', toolCallId: 't' },
      { type: 'tool.result', toolCallId: 't', content: 'x' },
      { type: 'session.update', title: 'x' },
    ]
    for (const command of commands)
      expect(await client.ask(command)).toMatchObject({ type: 'error', code: 'forbidden' })
    expect(await client.ask({ type: 'history.get' })).toMatchObject({ type: 'ack' })
    expect(rig.store.commits).toEqual([])
  })

  it('P-58: for what waits for a client finds nothing where nothing waits', async () => {
    const client = await new ChatRig().ready()
    const commands: readonly CommandInput[] = [
      { type: 'run.resume', resume: [{ interruptId: 'i', status: 'cancelled' }] },
      { type: 'tool.claim', toolCallId: 't' },
      { type: 'tool.result', toolCallId: 't', content: 'x' },
    ]
    for (const command of commands)
      expect(await client.ask(command)).toMatchObject({ type: 'error', code: 'not_found' })
  })

  it('of a revoked key is heard no more: its connections close with 4401, others stay', async () => {
    const identify = async ({ key }: { key?: string }): Promise<Principal> => ({
      ...ANYONE,
      kind: 'key',
      keyId: key ?? '',
    })
    const rig = new ChatRig({ identify })
    const id = randomUUID()
    const as = (key: string) => ({
      headers: { 'sec-websocket-protocol': `parley.v1, parley.session.${id}, parley.key.${key}` },
    })
    const [one, two, other] = [
      await rig.ready(id, as('k1')),
      await rig.ready(id, as('k1')),
      await rig.ready(id, as('k2')),
    ]
    rig.revoke('k1')
    expect([one, two, other].map(({ closedWith }) => closedWith?.code)).toEqual([4401, 4401, undefined])
    expect(one.last('error')).toMatchObject({ code: 'unauthorized' })
    expect(await other.say('m1')).toMatchObject({ state: 'started' })
    expect(one.events).toEqual([])
  })

  it('I9: of a key that is revoked between the verdict and the open socket is never heard', async () => {
    const rig = new ChatRig({ identify: async () => ({ ...ANYONE, kind: 'key', keyId: 'k1' }) })
    const verdict = await rig.handshake(randomUUID())
    rig.revoke('k1')
    const late = rig.open(verdict)
    await turns()
    expect(late.closedWith).toMatchObject({ code: 4401 })
    expect(late.controls('session.ready')).toEqual([])
  })
})
