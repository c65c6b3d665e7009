import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createParleyClient } from '../../clients/core/client.ts'
import type { ClientTools } from '../../clients/core/tool-runner.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { Pending } from '../../src/protocol/frames.ts'
import { FakeEnvironment, FakeSession, type FakeSocket, runStarted } from '../support/fake-server.ts'
import { deferred } from '../support/turns.ts'

const LEASE_MS = 30_000
/** What a page waits longer than another's lease. */
const AFTER_LEASE_MS = 2_000

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

const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

const CALLED: readonly Event[] = [
  runStarted('r1', 'u1', 'Where am I?'),
  { type: 'TOOL_CALL_START', toolCallId: 't1', toolCallName: 'locate', parentMessageId: 'a1' },
  { type: 'TOOL_CALL_ARGS', toolCallId: 't1', delta: '{"exact":true}' },
  { type: 'TOOL_CALL_END', toolCallId: 't1' },
  { type: 'RUN_FINISHED', threadId: 't', runId: 'r1', outcome: { type: 'success' } },
]
const WAITS: Pending = { toolCallId: 't1', toolName: 'locate', runId: 'r1', kind: 'client' }

/** A client that comes to a session in which a call waits. */
async function arrive(tools: ClientTools, pending: Pending = WAITS) {
  for (const event of CALLED) server.emit(event)
  server.pending = [pending]
  const client = createParleyClient({ url: 'ws://host/ws', app: 'default', sessionId: 's', environment, tools })
  client.connect()
  await settle()
  return welcome(client.state.conversation.cursor)
}

async function welcome(cursor?: Parameters<FakeSession['welcome']>[0]): Promise<FakeSocket> {
  environment.socket.receive(...server.welcome(cursor))
  await settle()
  return environment.socket
}

/** Grants the newest claim. */
async function grant(socket: FakeSocket): Promise<void> {
  const ref = socket.commands('tool.claim').at(-1)?.id ?? ''
  socket.receive({ type: 'ack', ref, expiresInMs: LEASE_MS })
  await settle()
}

describe('a tool of the page (P-45, P-46)', () => {
  it('is claimed, gets its arguments, and its result is told', async () => {
    const locate = vi.fn<ClientTools[string]>(async () => 'Bern')
    const socket = await arrive({ locate })
    expect(socket.commands('tool.claim')).toMatchObject([{ toolCallId: 't1' }])
    expect(locate).not.toHaveBeenCalled()
    await grant(socket)
    expect(locate.mock.calls).toEqual([[{ exact: true }]])
    expect(socket.commands('tool.result')).toMatchObject([{ toolCallId: 't1', content: 'Bern' }])
    expect(socket.commands('tool.claim')).toHaveLength(1)
  })

  it('that fails tells the model how', async () => {
    const socket = await arrive({ locate: () => Promise.reject(new Error('not\0allowed')) })
    await grant(socket)
    expect(socket.commands('tool.result')).toMatchObject([{ content: '', error: 'not\uFFFDallowed' }])
  })

  it.each([
    ['another tool', { other: () => 'x' }, WAITS],
    ['a name that every object has', {}, { ...WAITS, toolName: 'toString' }],
    ['an approval', { locate: () => 'x' }, { ...WAITS, kind: 'approval' as const }],
  ])('is not asked for %s', async (_what, tools, pending) => {
    expect((await arrive(tools, pending)).sent).toEqual([])
  })

  it('that another tab has is tried again when the lease of that is over', async () => {
    const locate = vi.fn<ClientTools[string]>(async () => 'Bern')
    const socket = await arrive({ locate }, { ...WAITS, claimed: true })
    const ref = socket.commands('tool.claim')[0]?.id ?? ''
    socket.receive({ type: 'error', ref, code: 'overloaded', message: 'taken', retryable: true, retryAfterMs: 4000 })
    await settle(4000 + AFTER_LEASE_MS - 1)
    expect(socket.commands('tool.claim')).toHaveLength(1)
    await settle(1)
    expect(socket.commands('tool.claim')).toHaveLength(2)
    await grant(socket)
    expect(socket.commands('tool.result')).toHaveLength(1)
  })

  it('that takes long keeps its lease', async () => {
    const work = deferred<string>()
    const socket = await arrive({ locate: () => work.promise })
    await grant(socket)
    await settle(LEASE_MS / 2)
    expect(socket.commands('tool.claim')).toHaveLength(2)
    await grant(socket)
    work.resolve('Bern')
    await settle(LEASE_MS)
    expect(socket.commands('tool.claim')).toHaveLength(2)
    expect(socket.commands('tool.result')).toHaveLength(1)
  })

  it('is made once, and its result told again, when the line is cut meanwhile', async () => {
    const work = deferred<string>()
    const locate = vi.fn<ClientTools[string]>(() => work.promise)
    const socket = await arrive({ locate })
    await grant(socket)
    socket.cut(1006)
    work.resolve('Bern')
    await settle(20_000)
    const next = await welcome()
    expect(next.commands('tool.result')).toMatchObject([{ toolCallId: 't1', content: 'Bern' }])
    expect(locate).toHaveBeenCalledTimes(1)
  })

  it('that is still made after a cut is claimed again, before any tab that waits for the lost lease', async () => {
    const work = deferred<string>()
    const locate = vi.fn<ClientTools[string]>(() => work.promise)
    const socket = await arrive({ locate })
    await grant(socket)
    socket.cut(1006)
    await settle(1000)
    const next = await welcome()
    const [again] = next.commands('tool.claim')
    expect(again).toMatchObject({ toolCallId: 't1' })
    const left = 20_000
    next.receive({
      type: 'error',
      ref: again?.id ?? '',
      code: 'overloaded',
      message: 'taken',
      retryable: true,
      retryAfterMs: left,
    })
    await settle(left)
    expect(next.commands('tool.claim')).toHaveLength(2)
    await grant(next)
    await settle(LEASE_MS / 2)
    expect(next.commands('tool.claim')).toHaveLength(3)
    work.resolve('Bern')
    await settle()
    expect(next.commands('tool.result')).toHaveLength(1)
    expect(locate).toHaveBeenCalledTimes(1)
  })

  it('whose result is refused for the moment is told again', async () => {
    const socket = await arrive({ locate: () => 'Bern' })
    await grant(socket)
    const refused = (ref: string): void =>
      socket.receive({ type: 'error', ref, code: 'store_unavailable', message: 'away', retryable: true })
    refused(socket.commands('tool.result')[0]?.id ?? '')
    await settle(4_999)
    expect(socket.commands('tool.result')).toHaveLength(1)
    await settle(1)
    expect(socket.commands('tool.result')).toMatchObject([{ content: 'Bern' }, { content: 'Bern' }])
    refused(socket.commands('tool.result')[1]?.id ?? '')
    socket.cut(1006)
    await settle(10_000)
    expect((await welcome()).commands('tool.result')).toMatchObject([{ content: 'Bern' }])
  })

  it('is made only once its arguments are here: a page of older messages is asked for, once', async () => {
    const locate = vi.fn<ClientTools[string]>(() => 'Bern')
    for (const event of CALLED) server.emit(event)
    const held = [...server.messages]
    const metadata = { runId: 'r1', createdAt: '2026-01-01T00:00:00.000Z' }
    server.messages = [{ id: 'x1', role: 'tool', toolCallId: 't0', content: '1', metadata }]
    server.pending = [WAITS]
    const client = createParleyClient({
      url: 'ws://host/ws',
      app: 'default',
      sessionId: 's',
      environment,
      tools: { locate },
    })
    client.connect()
    await settle()
    const socket = await welcome()
    socket.receive({ type: 'ping' })
    expect(socket.commands('tool.claim')).toEqual([])
    const [asked, ...more] = socket.commands('history.get')
    expect(more).toEqual([])
    socket.receive({ type: 'ack', ref: asked?.id ?? '', messages: held, hasMore: false })
    await settle()
    await grant(socket)
    expect(locate.mock.calls).toEqual([[{ exact: true }]])
  })

  it('is not made when it was answered elsewhere before the claim was granted', async () => {
    const locate = vi.fn<ClientTools[string]>(() => 'Bern')
    const socket = await arrive({ locate })
    socket.receive({ type: 'session.status', status: 'idle', queued: 0, queue: [] })
    await grant(socket)
    expect(locate).not.toHaveBeenCalled()
    expect(socket.commands('tool.result')).toEqual([])
  })

  it('leaves no timer behind when its client is closed', async () => {
    const client = createParleyClient({
      url: 'ws://host/ws',
      app: 'default',
      sessionId: 's',
      environment,
      tools: { locate: () => deferred<string>().promise },
    })
    for (const event of CALLED) server.emit(event)
    server.pending = [WAITS]
    client.connect()
    await settle()
    await grant(await welcome())
    client.close()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not claimed without a pause by a server that gives leases of no time', async () => {
    const socket = await arrive({ locate: () => deferred<string>().promise })
    const answer = (): void => {
      const ref = socket.commands('tool.claim').at(-1)?.id ?? ''
      socket.receive({ type: 'ack', ref, expiresInMs: 0 })
    }
    answer()
    for (let each = 0; each < 10; each++) {
      await settle(100)
      answer()
    }
    expect(socket.commands('tool.claim').length).toBeLessThan(6)
  })

  it('is told once: an answer that the server has is not told again', async () => {
    const socket = await arrive({ locate: () => 'Bern' })
    await grant(socket)
    socket.receive({ type: 'ack', ref: socket.commands('tool.result')[0]?.id ?? '', duplicate: false, runId: 'r2' })
    socket.receive({ type: 'session.status', status: 'idle', queued: 0, queue: [] })
    await settle(LEASE_MS)
    expect(socket.commands('tool.result')).toHaveLength(1)
  })
})
