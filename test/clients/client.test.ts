import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createParleyClient, type ParleyClient } from '../../clients/core/client.ts'
import type { ConnectorOptions } from '../../clients/core/connector.ts'
import { SignedOutError } from '../../clients/core/credential-source.ts'
import { noticeOf } from '../../clients/ui/wording.ts'
import { ERRORS, type ErrorCode } from '../../src/protocol/errors.ts'
import type { ErrorFrame } from '../../src/protocol/frames.ts'
import { FakeEnvironment, FakeSession, type FakeSocket, runStarted } from '../support/fake-server.ts'

const SESSION = 'a2b5a30e-5c5a-4d39-9d83-3a1c54d0c8f1'

let environment: FakeEnvironment
let server: FakeSession

beforeEach(() => {
  vi.useFakeTimers({ now: 1_767_225_600_000 })
  environment = new FakeEnvironment()
  server = new FakeSession()
})
afterEach(() => {
  vi.useRealTimers()
})

function clientWith(options: Partial<ConnectorOptions> = {}): ParleyClient {
  return createParleyClient({ url: 'ws://host/ws', app: 'default', sessionId: SESSION, environment, ...options })
}

/** Lets what is due now happen: credentials are awaited before a socket is opened. */
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

async function connected(client: ParleyClient): Promise<FakeSocket> {
  client.connect()
  await settle()
  environment.socket.receive(...server.welcome(client.state.conversation.cursor))
  return environment.socket
}

function verdict(code: ErrorCode, details: Partial<ErrorFrame> = {}): ErrorFrame {
  const { message, retryable } = ERRORS[code]
  return { type: 'error', code, message, retryable, ...details }
}

const delivery = (client: ParleyClient): unknown[] => client.state.conversation.sends.map((send) => send.delivery)

describe('the handshake (P-15 to P-19)', () => {
  it('offers session and key as subprotocols and only the App in the query', async () => {
    const client = clientWith({ app: 'support', credential: { kind: 'key', key: 'pk_live_a_b' } })
    client.connect()
    await settle()
    expect(environment.socket.protocols).toEqual(['parley.v1', `parley.session.${SESSION}`, 'parley.key.pk_live_a_b'])
    expect(environment.socket.url).toBe('ws://host/ws?app=support')
    expect(client.state.connection).toEqual({ phase: 'connecting', attempt: 0 })
  })

  it('is over when session.ready is there, and says so after the session is read', async () => {
    const client = clientWith()
    const seen: unknown[] = []
    client.subscribe(() => seen.push([client.state.connection.phase, client.state.conversation.model]))
    await connected(client)
    expect(seen).toContainEqual(['ready', 'scripted/demo'])
    expect(seen).not.toContainEqual(['ready', undefined])
  })

  it('is not held up by a listener that throws, which is reported', async () => {
    const reported: (() => void)[] = []
    vi.stubGlobal('queueMicrotask', (report: () => void) => reported.push(report))
    const client = clientWith()
    const after = vi.fn<() => void>()
    client.subscribe(() => {
      throw new Error('a fault of the page')
    })
    client.subscribe(after)
    const socket = await connected(client)
    expect(client.state.connection.phase).toBe('ready')
    expect(after).toHaveBeenCalled()
    client.send('hello')
    expect(socket.commands('message.send')).toHaveLength(1)
    expect(reported[0]).toThrow('a fault of the page')
  })

  it('refuses a key that no subprotocol can carry without asking the server', async () => {
    const client = clientWith({ credential: { kind: 'key', key: 'two words' } })
    client.connect()
    await settle()
    expect(environment.sockets).toHaveLength(0)
    expect(client.state.connection).toMatchObject({ phase: 'refused', code: 'unauthorized' })
  })

  it('that gets no answer is given up after 15 s and tried again', async () => {
    const client = clientWith()
    client.connect()
    await settle(15_000)
    expect(environment.socket.closed).toBe(true)
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', attempt: 1, why: { code: 'unreachable' } })
  })
})

describe('after a cut, the client (P-24)', () => {
  it('comes back with its cursor, waiting twice as long each time up to 10 s, and from the start once it held', async () => {
    const client = clientWith()
    const socket = await connected(client)
    socket.receive(server.emit(runStarted('r1', 'u1', 'x')))
    await settle(5_000)
    socket.cut(1006)
    const waits: number[] = []
    for (let attempt = 1; attempt <= 7; attempt++) {
      const { connection } = client.state
      if (connection.phase !== 'reconnecting') throw new Error(connection.phase)
      expect(connection).toMatchObject({ attempt, retryAt: Date.now() + connection.inMs })
      waits.push(connection.inMs)
      await settle(connection.inMs)
      expect(environment.socket.cursor).toBe('e1-1')
      if (attempt < 7) environment.socket.cut(1006)
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000])
    expect(client.state.connection).toMatchObject({ phase: 'connecting', attempt: 7 })
    environment.socket.receive(...server.welcome({ epoch: 'e1', seq: 1 }))
    await settle(5_000)
    environment.socket.cut(1006)
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', attempt: 1 })
  })

  it('spreads its attempts over the whole wait (full jitter)', async () => {
    environment.jitter = 0.25
    const client = clientWith()
    ;(await connected(client)).cut(1006)
    expect(client.state.connection).toMatchObject({ inMs: 125 })
  })

  it('does not start from the first wait again when connections break as soon as they are made', async () => {
    const client = clientWith()
    ;(await connected(client)).cut(1006)
    await settle(500)
    environment.socket.receive(...server.welcome())
    environment.socket.cut(1006)
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', attempt: 2, inMs: 1000 })
  })

  it('tries at once when asked to, and when the device is on a network again', async () => {
    const client = clientWith()
    ;(await connected(client)).cut(1006)
    client.connect()
    await settle()
    expect(environment.sockets).toHaveLength(2)
    environment.socket.cut(1006)
    environment.setOnline(false)
    await settle()
    expect(environment.sockets).toHaveLength(2)
    environment.setOnline(true)
    await settle()
    expect(environment.sockets).toHaveLength(3)
  })

  it('says at once that the device is offline, keeps what is sent then, and sends it when the network is back', async () => {
    const client = clientWith()
    await connected(client)
    environment.setOnline(false)
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', attempt: 1, why: { code: 'offline' } })
    client.send('hello')
    expect(client.state.conversation.sends).toMatchObject([{ delivery: { state: 'waiting' } }])
    environment.setOnline(true)
    await settle()
    environment.socket.receive(...server.welcome())
    expect(environment.socket.commands('message.send')).toMatchObject([{ content: 'hello' }])
  })

  it('stays with a server that answers although the device says that it is offline', async () => {
    const client = clientWith()
    await connected(client)
    environment.setOnline(false)
    await settle(500)
    environment.socket.receive(...server.welcome())
    await settle(10_000)
    expect(client.state.connection.phase).toBe('ready')
  })

  it('never has two sockets: one that is late is not listened to', async () => {
    const client = clientWith()
    const first = await connected(client)
    first.cut(1006)
    await settle(500)
    first.receive(server.emit(runStarted('r1', 'u1', 'late')))
    first.cut(1006)
    expect(client.state.conversation.messages).toEqual([])
    expect(client.state.connection.phase).toBe('connecting')
  })

  it.each([4401, 4403, 4404, 4409, 4413] as const)('stays away after close %i', async (code) => {
    const client = clientWith()
    ;(await connected(client)).cut(code)
    await settle(60_000)
    expect(environment.sockets).toHaveLength(1)
    expect(client.state.connection.phase).toBe('refused')
  })

  it.each([1006, 1012, 1013, 4408, 4429, 4500, 4503] as const)('comes back after close %i', async (code) => {
    const client = clientWith()
    ;(await connected(client)).cut(code)
    await settle(10_000)
    expect(environment.sockets).toHaveLength(2)
  })

  it('says what the server said before it closed (P-21)', async () => {
    const client = clientWith()
    client.connect()
    await settle()
    environment.socket.receive(verdict('origin_not_allowed'))
    environment.socket.cut(4403)
    const { message } = ERRORS.origin_not_allowed
    expect(client.state.connection).toEqual({ phase: 'refused', code: 'origin_not_allowed', message })
    client.connect()
    await settle()
    expect(environment.sockets).toHaveLength(2)
  })

  it('waits at least as long as a limit or a drain asks (P-91)', async () => {
    environment.jitter = 0
    const client = clientWith()
    const socket = await connected(client)
    socket.receive(verdict('rate_limit_exceeded', { retryAfterMs: 7000 }))
    socket.cut(4429)
    expect(client.state.connection).toMatchObject({ inMs: 7000, why: { code: 'rate_limit_exceeded' } })
    await settle(7000)
    environment.socket.receive(...server.welcome(), { type: 'server.draining', reconnectInMs: 2500 })
    expect(client.state.connection).toEqual({ phase: 'ready', draining: true })
    environment.socket.cut(1012)
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', inMs: 2500, why: { code: 'draining' } })
  })
})

describe('silence', () => {
  it('of one and a half heartbeats and 10 s means that the socket is dead', async () => {
    const client = clientWith()
    const socket = await connected(client)
    await settle(40_000)
    socket.receive({ type: 'ping' })
    await settle(47_499)
    expect(client.state.connection.phase).toBe('ready')
    await settle(1)
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', why: { code: 'silent' } })
    expect(socket.closed).toBe(true)
  })

  it('that a sleeping device let pass is noticed when somebody comes back', async () => {
    const client = clientWith()
    const socket = await connected(client)
    vi.setSystemTime(Date.now() + 47_499)
    environment.comeBack()
    expect(client.state.connection.phase).toBe('ready')
    vi.setSystemTime(Date.now() + 1)
    environment.comeBack()
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', why: { code: 'silent' } })
    expect(socket.closed).toBe(true)
    client.close()
    environment.comeBack()
    expect(client.state.connection.phase).toBe('closed')
  })

  it('that a sleeping device let pass is noticed before anything is sent, which goes out with the next connection', async () => {
    const client = clientWith()
    const socket = await connected(client)
    vi.setSystemTime(Date.now() + 3_600_000)
    client.send('hello')
    expect(socket.commands('message.send')).toEqual([])
    expect(delivery(client)).toEqual([{ state: 'waiting' }])
    await settle(500)
    environment.socket.receive(...server.welcome(client.state.conversation.cursor))
    expect(environment.socket.commands('message.send')).toMatchObject([{ content: 'hello' }])
  })

  it('is noticed as soon after the clock was set back', async () => {
    const client = clientWith()
    const socket = await connected(client)
    vi.setSystemTime(Date.now() - 3_600_000)
    await settle(47_500)
    socket.receive({ type: 'ping' })
    await settle(47_500)
    expect(socket.closed).toBe(true)
    expect(client.state.connection).toMatchObject({ why: { code: 'silent' } })
  })
})

describe('a frame that cannot be read', () => {
  it('is passed over (P-3)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    socket.receiveText('{"type":"from.the.future"}')
    socket.receiveText('not JSON')
    expect(client.state.connection.phase).toBe('ready')
  })
})

describe('a ticket source', () => {
  it.each(['ticket_used', 'ticket_expired'] as const)(
    'is asked once more after %s, and not a third time',
    async (code) => {
      const tickets = ['one', 'two', 'three', 'four']
      const client = clientWith({ credential: async () => ({ kind: 'ticket', ticket: tickets.shift() ?? '' }) })
      const socket = await connected(client)
      socket.cut(1006)
      await settle(500)
      for (let times = 0; times < 2; times++) {
        environment.socket.receive(verdict(code))
        environment.socket.cut(4401)
        await settle()
      }
      expect(client.state.connection).toMatchObject({ phase: 'refused', code })
      const offered = environment.sockets.map((each) => each.protocols[2])
      expect(offered).toEqual(['parley.ticket.one', 'parley.ticket.two', 'parley.ticket.three'])
    },
  )

  it('that says nothing counts as away, and is asked again after a wait', async () => {
    const never = new Promise<never>(() => undefined)
    let asked = 0
    const client = clientWith({ credential: () => (asked++ === 0 ? never : Promise.resolve(undefined)) })
    client.connect()
    await settle(14_999)
    expect(client.state.connection.phase).toBe('connecting')
    await settle(1)
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', attempt: 1, why: { code: 'unreachable' } })
    await settle(500)
    expect(environment.sockets).toHaveLength(1)
    expect(asked).toBe(2)
    client.close()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not asked without a pause by a server that lets each ticket in and puts it out again', async () => {
    let asked = 0
    const client = clientWith({ credential: async () => ({ kind: 'ticket', ticket: `t${++asked}` }) })
    client.connect()
    await settle()
    for (let round = 1; round <= 3; round++) {
      environment.socket.receive(...server.welcome())
      environment.socket.receive(verdict('ticket_expired'))
      environment.socket.cut(ERRORS.ticket_expired.close)
      await settle()
      expect(environment.sockets).toHaveLength(round)
      expect(client.state.connection).toMatchObject({ phase: 'reconnecting', attempt: round })
      await settle(10_000)
      expect(environment.sockets).toHaveLength(round + 1)
    }
  })

  it('is not asked again when what it gave is no ticket of the server', async () => {
    const client = clientWith({ credential: async () => ({ kind: 'ticket', ticket: 'forged' }) })
    client.connect()
    await settle()
    environment.socket.receive(verdict('unauthorized'))
    environment.socket.cut(4401)
    await settle()
    expect(client.state.connection).toMatchObject({ phase: 'refused', code: 'unauthorized' })
    expect(environment.sockets).toHaveLength(1)
  })

  it('that fails is asked again after a while, as a server that is away', async () => {
    let fails = true
    const credential = async () => {
      if (fails) throw new TypeError('Failed to fetch')
      return { kind: 'ticket' as const, ticket: 'one' }
    }
    const client = clientWith({ credential })
    client.connect()
    await settle()
    expect(client.state.connection).toMatchObject({ phase: 'reconnecting', attempt: 1, why: { code: 'unreachable' } })
    fails = false
    await settle(10_000)
    environment.socket.receive(...server.welcome(undefined))
    expect(client.state.connection.phase).toBe('ready')
    expect(environment.sockets.map((each) => each.protocols[2])).toEqual(['parley.ticket.one'])
  })

  it('that says that nobody is signed in is not asked again until the person wants it', async () => {
    let asked = 0
    const credential = async () => {
      if (++asked === 1) throw new SignedOutError()
      return { kind: 'ticket' as const, ticket: 'one' }
    }
    const client = clientWith({ credential })
    client.connect()
    await settle(60_000)
    expect(asked).toBe(1)
    expect(client.state.connection).toMatchObject({ phase: 'refused', code: 'signed_out' })
    expect(noticeOf(client.state.connection, 0, true)).toMatchObject({
      text: expect.stringContaining('Sign in'),
      remedies: ['retry'],
    })
    client.connect()
    await settle()
    environment.socket.receive(...server.welcome())
    expect(client.state.connection.phase).toBe('ready')
  })

  it('is not asked while the token for coming back is good', async () => {
    const tickets = ['one', 'two']
    const client = clientWith({ credential: async () => ({ kind: 'ticket', ticket: tickets.shift() ?? '' }) })
    client.connect()
    await settle()
    environment.socket.receive({ ...server.ready('new', 0), reconnectToken: 'token' })
    environment.socket.cut(1006)
    await settle(500)
    environment.socket.receive(verdict('ticket_expired'))
    environment.socket.cut(4401)
    await settle()
    const offered = environment.sockets.map((each) => each.protocols[2])
    expect(offered).toEqual(['parley.ticket.one', 'parley.ticket.token', 'parley.ticket.two'])
  })
})

describe('a send', () => {
  it('is sending, then sent, then a message, and never shown twice (P-41, P-71)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    expect(client.send('hello')).toEqual({ ok: true })
    expect(delivery(client)).toEqual([{ state: 'sending' }])
    expect(socket.commands('message.send')).toEqual([
      { type: 'message.send', clientMessageId: 'm1', content: 'hello', policy: 'enqueue' },
    ])
    socket.receive({ type: 'ack', clientMessageId: 'm1', runId: 'r1', state: 'started', duplicate: false })
    expect(delivery(client)).toEqual([{ state: 'sent', runId: 'r1' }])
    socket.receive(server.emit(runStarted('r1', 'm1', 'hello')))
    expect(client.state.conversation.sends).toEqual([])
    expect(client.state.conversation.messages).toHaveLength(1)
  })

  it('without a connection waits, and goes out with the next one', async () => {
    const client = clientWith()
    ;(await connected(client)).cut(1006)
    client.send('one')
    client.send('two')
    expect(delivery(client)).toEqual([{ state: 'waiting' }, { state: 'waiting' }])
    await settle(500)
    environment.socket.receive(...server.welcome({ epoch: 'e1', seq: 0 }))
    const ids = environment.socket.commands('message.send').map((command) => command.clientMessageId)
    expect(ids).toEqual(['m1', 'm2'])
  })

  it('whose ack did not come goes out again under the same id (I2)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    client.send('hello')
    socket.cut(1006)
    expect(delivery(client)).toEqual([{ state: 'waiting' }])
    await settle(500)
    environment.socket.receive(...server.welcome({ epoch: 'e1', seq: 0 }))
    expect(environment.socket.commands('message.send')).toEqual(socket.commands('message.send'))
  })

  it('that the snapshot shows does not go out again', async () => {
    const client = clientWith()
    const socket = await connected(client)
    client.send('hello')
    socket.cut(1006)
    server.emit(runStarted('r1', 'm1', 'hello'))
    server.trim()
    await settle(500)
    environment.socket.receive(...server.welcome({ epoch: 'e1', seq: 0 }))
    expect(environment.socket.commands('message.send')).toEqual([])
    expect(client.state.conversation.sends).toEqual([])
  })

  it('that waits for its turn is listed in the queue', async () => {
    const client = clientWith()
    const socket = await connected(client)
    socket.receive(server.emit(runStarted('r1', 'u1', 'count')))
    client.send('later')
    expect(client.state.conversation.sends).toMatchObject([{ behind: true }])
    socket.receive({ type: 'ack', clientMessageId: 'm1', runId: 'r2', state: 'queued', duplicate: false })
    expect(client.state.conversation.sends).toEqual([])
    expect(client.state.conversation.queue).toEqual([{ runId: 'r2', clientMessageId: 'm1', content: 'later' }])
  })

  it('that turns out to be known and over is let go (P-41)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    client.send('taken out of the queue elsewhere')
    socket.receive({ type: 'ack', clientMessageId: 'm1', runId: 'r1', state: 'started', duplicate: true })
    expect(client.state.conversation.sends).toEqual([])
  })

  it('that is refused is kept with the reason, and goes out again when asked', async () => {
    const client = clientWith()
    const socket = await connected(client)
    client.send('hello')
    socket.receive(verdict('store_unavailable', { clientMessageId: 'm1' }))
    expect(delivery(client)).toMatchObject([{ state: 'failed', code: 'store_unavailable', retryable: true }])
    client.resend('m1')
    expect(socket.commands('message.send')).toHaveLength(2)
    client.discard('m1')
    expect(client.state.conversation.sends).toEqual([])
  })

  it('while the server drains waits for the next server (P-61)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    client.send('refused by the old one')
    socket.receive({ type: 'server.draining', reconnectInMs: 100 }, verdict('draining', { clientMessageId: 'm1' }))
    client.send('never shown to the old one')
    expect(delivery(client)).toEqual([{ state: 'waiting' }, { state: 'waiting' }])
    expect(socket.commands('message.send')).toHaveLength(1)
    socket.cut(1012)
    await settle(600)
    environment.socket.receive(...server.welcome({ epoch: 'e1', seq: 0 }))
    expect(environment.socket.commands('message.send')).toHaveLength(2)
  })

  it('that is too long, empty, or one too many for the queue is refused here (P-11, P-52)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    expect(client.send('é'.repeat(16_385))).toMatchObject({ ok: false, code: 'message_too_large' })
    expect(client.send('"'.repeat(32_768))).toMatchObject({ ok: false, code: 'message_too_large' })
    expect(client.send(' \n')).toMatchObject({ ok: false, code: 'invalid_value' })
    socket.receive(server.emit(runStarted('r1', 'u1', 'count')))
    for (let n = 0; n < 10; n++) expect(client.send(`later ${n}`)).toEqual({ ok: true })
    expect(client.send('too many')).toMatchObject({ ok: false, code: 'queue_full' })
    expect(socket.commands('message.send')).toHaveLength(10)
  })

  it('that would be one too many for the queue once there is a connection is refused here (P-52)', async () => {
    const client = clientWith()
    await connected(client)
    environment.socket.cut(1006)
    for (let n = 0; n < 11; n++) expect(client.send(`offline ${n}`)).toEqual({ ok: true })
    expect(client.send('too many')).toMatchObject({ ok: false, code: 'queue_full' })
    expect(client.edit('u1', 'better')).toEqual({ ok: true })
    await settle(600)
    const socket = await connected(client)
    expect(socket.commands('message.send')).toHaveLength(12)
  })

  it('that edits names what it replaces and stops what runs (P-53, P-54)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    client.edit('u1', 'better')
    expect(socket.commands('message.send')).toMatchObject([{ replaces: 'u1', policy: 'interrupt', content: 'better' }])
  })
})

describe('a stop', () => {
  it('names its run, shows until the run has ended, and is not lost in a cut', async () => {
    const client = clientWith()
    const socket = await connected(client)
    socket.receive(server.emit(runStarted('r1', 'u1', 'count')))
    const stopped = client.cancel()
    expect(socket.commands('run.cancel')).toMatchObject([{ runId: 'r1' }])
    socket.cut(1006)
    expect(await stopped).toEqual({ ok: true })
    expect(client.state.conversation.cancelling).toBe('r1')
    await settle(500)
    environment.socket.receive(...server.welcome({ epoch: 'e1', seq: 1 }))
    expect(environment.socket.commands('run.cancel')).toMatchObject([{ runId: 'r1' }])
    const outcome = { type: 'cancelled' as const }
    environment.socket.receive(server.emit({ type: 'RUN_FINISHED', threadId: 't', runId: 'r1', outcome }))
    expect(client.state.conversation).toMatchObject({ cancelling: undefined, status: 'interrupted' })
  })

  it('that comes too late is over with its ack (P-55)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    socket.receive(server.emit(runStarted('r1', 'u1', 'count')))
    void client.cancel()
    const [command] = socket.commands('run.cancel')
    socket.receive({ type: 'ack', ref: command?.id, runId: 'r1', state: 'noop' })
    expect(client.state.conversation.cancelling).toBeUndefined()
  })
})

describe('a request', () => {
  it('is answered by the ack or error that says its id (P-5)', async () => {
    const client = clientWith()
    const socket = await connected(client)
    const renamed = client.rename('A title')
    const retried = client.retry('r1')
    const [update] = socket.commands('session.update')
    const [retry] = socket.commands('run.retry')
    socket.receive(verdict('not_found', { ref: retry?.id }), { type: 'ack', ref: update?.id })
    expect(await renamed).toEqual({ ok: true })
    expect(await retried).toMatchObject({ ok: false, code: 'not_found' })
  })

  it('fails at once without a connection, and when the connection is cut', async () => {
    const client = clientWith()
    expect(await client.rename('early')).toMatchObject({ ok: false, code: 'not_connected' })
    const socket = await connected(client)
    const renamed = client.rename('late')
    socket.cut(1006)
    expect(await renamed).toMatchObject({ ok: false, code: 'connection_lost' })
  })

  it('for older messages asks from the oldest one held, one at a time', async () => {
    const client = clientWith()
    const socket = await connected(client)
    socket.receive(server.emit(runStarted('r1', 'u9', 'newest')))
    const loading = client.loadOlder()
    void client.loadOlder()
    const asked = socket.commands('history.get')
    expect(asked).toMatchObject([{ before: 'u9' }])
    expect(client.state.loadingOlder).toBe(true)
    const messages = [...new FakeSession().messages]
    socket.receive({ type: 'ack', ref: asked[0]?.id, messages, hasMore: false })
    expect(await loading).toEqual({ ok: true })
    expect(client.state).toMatchObject({ loadingOlder: false, conversation: { hasMore: false } })
  })
})

describe('a client that is closed', () => {
  it('does not come back', async () => {
    const client = clientWith()
    const socket = await connected(client)
    client.close()
    socket.cut(1006)
    await settle(60_000)
    environment.setOnline(true)
    await settle()
    expect(environment.sockets).toHaveLength(1)
    expect(client.state.connection).toEqual({ phase: 'closed' })
  })

  it('while it waits for a credential opens no socket', async () => {
    let give: (value: undefined) => void = () => undefined
    const client = clientWith({ credential: () => new Promise((resolve) => (give = resolve)) })
    client.connect()
    client.close()
    give(undefined)
    await settle()
    expect(environment.sockets).toHaveLength(0)
  })
})
