import { describe, expect, it } from 'vitest'
import { type Conversation, EMPTY_CONVERSATION } from '../../clients/core/conversation.ts'
import { reduce } from '../../clients/core/reducer.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { Envelope } from '../../src/protocol/frames.ts'
import { AT, FakeSession, runStarted, type ServerFrame, userMessage } from '../support/fake-server.ts'

function hear(conversation: Conversation, ...frames: readonly ServerFrame[]): Conversation {
  return frames.reduce((state, frame) => reduce(state, { kind: 'frame', frame, at: AT }), conversation)
}

function say(server: FakeSession, ...events: readonly Event[]): Envelope[] {
  return events.map((event) => server.emit(event))
}

const text = (delta: string, messageId = 'a1'): Event => ({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta })
const textStart = (messageId = 'a1'): Event => ({ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' })
const textEnd = (messageId = 'a1'): Event => ({ type: 'TEXT_MESSAGE_END', messageId })
const finished = (runId: string, type: 'success' | 'cancelled' = 'success'): Event => ({
  type: 'RUN_FINISHED',
  threadId: 't',
  runId,
  outcome: { type },
})

/** A client that is up to date with a new session. */
function connected(server: FakeSession): Conversation {
  return hear(EMPTY_CONVERSATION, ...server.welcome())
}

function texts(conversation: Conversation): string[] {
  return conversation.messages.map((message) => `${message.id}:${message.content ?? ''}`)
}

describe('the reducer, hearing a live run,', () => {
  it('shows the question, the growing answer and its end (P-71)', () => {
    const server = new FakeSession()
    let state = hear(
      connected(server),
      ...say(server, runStarted('r1', 'u1', 'hi'), textStart(), text('Hel'), text('lo')),
    )
    expect(texts(state)).toEqual(['u1:hi', 'a1:Hello'])
    expect([...state.open]).toEqual(['a1'])
    expect(state).toMatchObject({ status: 'processing', runId: 'r1', cursor: { epoch: 'e1', seq: 4 } })
    state = hear(state, ...say(server, textEnd(), finished('r1')))
    expect(state).toMatchObject({ status: 'idle', runId: undefined, ends: { r1: { outcome: 'success' } } })
    expect(state.open.size).toBe(0)
    expect(state.messages).toEqual(server.messages)
  })

  it('builds a tool call (P-73, P-76) from its arguments and puts its result beside it', () => {
    const server = new FakeSession()
    const state = hear(
      connected(server),
      ...say(
        server,
        runStarted('r1', 'u1', 'add'),
        { type: 'TOOL_CALL_START', toolCallId: 'c1', toolCallName: 'calculate', parentMessageId: 'a1' },
        { type: 'TOOL_CALL_ARGS', toolCallId: 'c1', delta: '{"expression":' },
        { type: 'TOOL_CALL_ARGS', toolCallId: 'c1', delta: '"1+1"}' },
        { type: 'TOOL_CALL_END', toolCallId: 'c1' },
        { type: 'TOOL_CALL_RESULT', toolCallId: 'c1', messageId: 't1', content: '2', role: 'tool' },
      ),
    )
    const metadata = { runId: 'r1', createdAt: AT }
    const call = { name: 'calculate', arguments: '{"expression":"1+1"}' }
    expect(state.messages.slice(1)).toEqual([
      { id: 'a1', role: 'assistant', toolCalls: [{ id: 'c1', type: 'function', function: call }], metadata },
      { id: 't1', role: 'tool', toolCallId: 'c1', content: '2', metadata },
    ])
  })

  it('puts a result that comes behind the next question with its call, where a rewind of that question leaves it (P-76)', () => {
    const server = new FakeSession()
    const asked = hear(
      connected(server),
      ...say(
        server,
        runStarted('r1', 'u1', 'shall we?'),
        { type: 'TOOL_CALL_START', toolCallId: 'c1', toolCallName: 'ask', parentMessageId: 'a1' },
        { type: 'TOOL_CALL_END', toolCallId: 'c1' },
        finished('r1'),
        runStarted('r2', 'u2', 'never mind'),
        { type: 'TOOL_CALL_RESULT', toolCallId: 'c1', messageId: 't1', content: 'declined', role: 'tool' },
      ),
    )
    const ids = (state: Conversation) => state.messages.map(({ id, metadata }) => `${id} of ${metadata.runId}`)
    expect(ids(asked)).toEqual(['u1 of r1', 'a1 of r1', 't1 of r1', 'u2 of r2'])
    const again = say(server, finished('r2'), runStarted('r3', 'u3', 'or yes'), {
      type: 'CUSTOM',
      name: 'parley.rewind',
      value: { from: 'u2' },
    })
    expect(ids(hear(asked, ...again))).toEqual(['u1 of r1', 'a1 of r1', 't1 of r1', 'u3 of r3'])
  })

  it('keeps reasoning apart from the answer', () => {
    const server = new FakeSession()
    const state = hear(
      connected(server),
      ...say(
        server,
        runStarted('r1', 'u1', 'why'),
        { type: 'REASONING_START', messageId: 'g1' },
        { type: 'REASONING_MESSAGE_START', messageId: 'g1', role: 'reasoning' },
        { type: 'REASONING_MESSAGE_CONTENT', messageId: 'g1', delta: 'Hm.' },
        { type: 'REASONING_MESSAGE_END', messageId: 'g1' },
        { type: 'REASONING_END', messageId: 'g1' },
      ),
    )
    expect(state.messages[1]).toMatchObject({ id: 'g1', role: 'reasoning', content: 'Hm.' })
  })

  it('is interrupted by a cancel, and idle with the error after a RUN_ERROR (P-74)', () => {
    const server = new FakeSession()
    const cancelled = hear(connected(server), ...say(server, runStarted('r1', 'u1', 'x'), finished('r1', 'cancelled')))
    expect(cancelled).toMatchObject({ status: 'interrupted', ends: { r1: { outcome: 'cancelled' } } })
    const failed = hear(
      cancelled,
      ...say(server, runStarted('r2', 'u2', 'y'), { type: 'RUN_ERROR', code: 'provider_error', message: 'No answer' }),
    )
    expect(failed.status).toBe('idle')
    expect(failed.ends['r2']).toEqual({ outcome: 'error', code: 'provider_error', message: 'No answer' })
  })

  it('stays processing at the end of a run while the queue is not empty', () => {
    const server = new FakeSession()
    server.queue = [{ runId: 'r2', clientMessageId: 'u2', content: 'next' }]
    const state = hear(connected(server), ...say(server, runStarted('r1', 'u1', 'x'), finished('r1')))
    expect(state).toMatchObject({ status: 'processing', runId: undefined })
    expect(hear(state, ...say(server, runStarted('r2', 'u2', 'next'))).queue).toEqual([])
  })

  it('learns from the status that the server stopped it, not a person (P-74)', () => {
    const server = new FakeSession()
    const state = hear(connected(server), ...say(server, runStarted('r1', 'u1', 'x'), finished('r1', 'cancelled')))
    const lastRun = { runId: 'r1', outcome: 'interrupted' as const }
    const after = hear(state, {
      type: 'session.status',
      status: 'interrupted',
      queued: 0,
      queue: [],
      pending: [],
      lastRun,
    })
    expect(after.ends['r1']).toEqual({ outcome: 'interrupted' })
  })

  it('passes over content of an item that it does not know', () => {
    const server = new FakeSession()
    const state = hear(connected(server), ...say(server, runStarted('r1', 'u1', 'x')))
    const after = hear(state, { id: 'e1-9', chunk: text('lost', 'nobody') })
    expect(after.messages).toEqual(state.messages)
  })
})

describe('the cursor (I6, P-25, P-26)', () => {
  it('moves with numbered events and not with synthetic ones (P-29)', () => {
    const server = new FakeSession()
    const state = hear(connected(server), ...say(server, runStarted('r1', 'u1', 'x')))
    const after = hear(state, { chunk: textStart() })
    expect(after.cursor).toEqual({ epoch: 'e1', seq: 1 })
    expect(after.messages).toHaveLength(2)
  })

  it('lets nothing in twice', () => {
    const server = new FakeSession()
    const [started, start, delta] = say(server, runStarted('r1', 'u1', 'x'), textStart(), text('once'))
    if (!started || !start || !delta) throw new Error('three frames')
    const state = hear(connected(new FakeSession()), started, start, delta, delta, start)
    expect(texts(state)).toEqual(['u1:x', 'a1:once'])
  })

  it('takes no event of another life of the log', () => {
    const server = new FakeSession()
    const state = connected(server)
    expect(hear(state, { id: 'other-99', chunk: textStart() })).toEqual(state)
  })

  it('is absent between a snapshot and the first numbered event of a run that is on', () => {
    const server = new FakeSession()
    say(server, runStarted('r1', 'u1', 'x'), textStart(), text('Hel'))
    const [ready, snapshot, ...opening] = server.welcome()
    if (!ready || !snapshot) throw new Error('a welcome of two frames or more')
    let state = hear(connected(new FakeSession()), ready)
    expect(state.cursor).toEqual({ epoch: 'e1', seq: 0 })
    state = hear(state, snapshot, ...opening)
    expect(state.cursor).toBeUndefined()
    expect([...state.open]).toEqual(['a1'])
    state = hear(state, ...say(server, text('lo')))
    expect(state.cursor).toEqual({ epoch: 'e1', seq: 4 })
    expect(texts(state)).toEqual(['u1:x', 'a1:Hello'])
  })

  it('is past what the opening says of a long item (P-29)', () => {
    const server = new FakeSession()
    const [started, start] = say(server, runStarted('r1', 'u1', 'x'), textStart())
    if (started === undefined || start === undefined) throw new Error('two frames')
    const [ready, snapshot] = server.welcome()
    if (!ready || !snapshot) throw new Error('a welcome of two frames or more')
    const opening = [{ chunk: started.chunk }, { chunk: start.chunk }, { chunk: text('long ago, ') }]
    const state = hear(EMPTY_CONVERSATION, ready, snapshot, ...opening, { id: 'e1-3', chunk: text('now') })
    expect(texts(state)).toEqual(['u1:x', 'a1:long ago, now'])
  })

  it('is where the snapshot stands when nothing runs', () => {
    const server = new FakeSession()
    say(server, runStarted('r1', 'u1', 'x'), finished('r1'))
    expect(hear(EMPTY_CONVERSATION, ...server.welcome()).cursor).toEqual({ epoch: 'e1', seq: 2 })
  })
})

describe('a snapshot (P-28)', () => {
  it('replaces partial content by message id', () => {
    const server = new FakeSession()
    const before = hear(connected(server), ...say(server, runStarted('r1', 'u1', 'x'), textStart(), text('Hel')))
    say(server, text('lo, world'))
    server.trim()
    const after = hear(before, ...server.welcome({ epoch: 'e1', seq: 3 }))
    expect(texts(after)).toEqual(['u1:x', 'a1:Hello, world'])
  })

  it('of a new epoch replaces the local copy', () => {
    const server = new FakeSession()
    const before = hear(
      connected(server),
      ...say(server, runStarted('r1', 'u1', 'x'), textStart(), text('unsaved words')),
    )
    server.messages = [userMessage('u1', 'r1', 'x')]
    server.restart()
    const after = hear(before, ...server.welcome({ epoch: 'e1', seq: 3 }))
    expect(texts(after)).toEqual(['u1:x'])
    expect(after).toMatchObject({ status: 'interrupted', ends: { r1: { outcome: 'interrupted' } }, epoch: 'e1x' })
  })

  it('keeps older pages of the same epoch and drops what it no longer holds', () => {
    const server = new FakeSession()
    server.messages = ['u1', 'u2', 'u3', 'u4'].map((id) => userMessage(id, `r-${id}`, id))
    const before = connected(server)
    const ready = server.ready('snapshot', 7)
    const messages = [userMessage('u3', 'r-u3', 'u3'), userMessage('u5', 'r-u5', 'u5')]
    const partial = hear(before, ready, { type: 'session.snapshot', messages, hasMore: true })
    expect(partial.messages.map(({ id }) => id)).toEqual(['u1', 'u2', 'u3', 'u5'])
    const gap = hear(before, ready, {
      type: 'session.snapshot',
      messages: [userMessage('u9', 'r-u9', 'u9')],
      hasMore: true,
    })
    expect(gap.messages.map(({ id }) => id)).toEqual(['u9'])
    expect(gap.hasMore).toBe(true)
  })

  it('is not built upon before it is there', () => {
    const server = new FakeSession()
    const state = hear(connected(server), server.ready('snapshot', 5), { id: 'e1-6', chunk: textStart() })
    expect(state.messages).toEqual([])
  })

  it('does not come for a session that is new: what was held is gone', () => {
    const server = new FakeSession()
    const before = hear(connected(server), ...say(server, runStarted('r1', 'u1', 'x')))
    const after = hear(before, { ...new FakeSession().ready('new', 0), epoch: 'e2' })
    expect(after).toMatchObject({ messages: [], cursor: { epoch: 'e2', seq: 0 } })
  })
})

describe('a rewind (P-72)', () => {
  it('drops its message and all later ones but those of the new run', () => {
    const server = new FakeSession()
    const state = hear(
      connected(server),
      ...say(
        server,
        runStarted('r1', 'u1', 'one'),
        textStart('a1'),
        text('uno', 'a1'),
        textEnd('a1'),
        finished('r1'),
        runStarted('r2', 'u2', 'two'),
        finished('r2'),
        runStarted('r3', 'u3', 'one, edited'),
        { type: 'CUSTOM', name: 'parley.rewind', value: { from: 'u1' } },
        textStart('a3'),
        text('dos', 'a3'),
      ),
    )
    expect(texts(state)).toEqual(['u3:one, edited', 'a3:dos'])
  })

  it('keeps the question when a retry takes it over', () => {
    const server = new FakeSession()
    const state = hear(
      connected(server),
      ...say(server, runStarted('r1', 'u1', 'one'), textStart(), text('bad'), textEnd(), finished('r1')),
      ...say(server, runStarted('r2', 'u1', 'one'), { type: 'CUSTOM', name: 'parley.rewind', value: { from: 'u1' } }),
    )
    expect(texts(state)).toEqual(['u1:one'])
    expect(state.messages[0]?.metadata.runId).toBe('r2')
  })

  it('to a message before the loaded pages drops all that is held', () => {
    const server = new FakeSession()
    const loaded = { ...connected(server), messages: [userMessage('u8', 'r8', 'x')], hasMore: true }
    const [started, rewind] = say(server, runStarted('r9', 'u9', 'y'), {
      type: 'CUSTOM',
      name: 'parley.rewind',
      value: { from: 'u2' },
    })
    if (!started || !rewind) throw new Error('two frames')
    expect(texts(hear(loaded, started, rewind))).toEqual(['u9:y'])
  })
})

describe('history', () => {
  it('goes before what is held, once', () => {
    const held = { ...EMPTY_CONVERSATION, messages: [userMessage('u3', 'r3', 'x')], hasMore: true }
    const page = {
      kind: 'history' as const,
      before: 'u3',
      messages: [userMessage('u1', 'r1', 'x'), userMessage('u2', 'r2', 'x')],
      hasMore: false,
    }
    const after = reduce(held, page)
    expect(after.messages.map(({ id }) => id)).toEqual(['u1', 'u2', 'u3'])
    expect(after.hasMore).toBe(false)
    expect(reduce(after, page)).toBe(after)
  })
})

describe('a session frame', () => {
  it('updates title, model and wallet, and null unbinds the wallet (P-84)', () => {
    const bound = hear(EMPTY_CONVERSATION, {
      type: 'session.updated',
      title: 'T',
      model: 'm',
      wallet: { address: '0x1', chain: '1' },
    })
    expect(bound).toMatchObject({ title: 'T', model: 'm', wallet: { address: '0x1', chain: '1' } })
    expect(hear(bound, { type: 'session.updated', wallet: null })).toMatchObject({ title: 'T', wallet: undefined })
  })

  it('of status brings the queue and how the last run ended (P-81, P-83)', () => {
    const queue = [{ runId: 'r2', clientMessageId: 'u2', content: 'next' }]
    const lastRun = { runId: 'r1', outcome: 'error' as const, code: 'provider_stalled' }
    const state = hear(EMPTY_CONVERSATION, {
      type: 'session.status',
      status: 'processing',
      queued: 1,
      queue,
      pending: [],
      lastRun,
    })
    expect(state).toMatchObject({ queue, ends: { r1: { outcome: 'error', code: 'provider_stalled' } } })
  })
})
