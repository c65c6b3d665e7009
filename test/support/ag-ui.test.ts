import { describe, expect, it } from 'vitest'
import type { Event } from '../../src/protocol/events.ts'
import type { Message } from '../../src/protocol/messages.ts'
import { AG_UI_CLIENTS, AgUiRefusal, chunksOf, replayIn, replayInAgUi } from './ag-ui.ts'

const started = (runId: string): Event => ({ type: 'RUN_STARTED', threadId: 'thread', runId })
const finished = (runId: string): Event => ({
  type: 'RUN_FINISHED',
  threadId: 'thread',
  runId,
  outcome: { type: 'success' },
})
const open: Event = { type: 'TEXT_MESSAGE_START', messageId: 'm', role: 'assistant' }
const say = (delta: string): Event => ({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta })
const close: Event = { type: 'TEXT_MESSAGE_END', messageId: 'm' }

const GOOD = [started('a'), open, say('Hel'), say('lo'), close, finished('a')]

describe('replayInAgUi', () => {
  it('lets a whole run pass through both clients and gives the messages that they built', async () => {
    const replays = await replayInAgUi(GOOD)
    expect(replays.map((replay) => replay.client)).toEqual(AG_UI_CLIENTS)
    for (const { events, messages, warnings, schemaFaults } of replays) {
      expect(events).toBe(GOOD.length)
      expect(messages).toEqual([{ id: 'm', role: 'assistant', content: 'Hello' }])
      expect(warnings).toEqual([])
      expect(schemaFaults).toEqual([])
    }
  })

  it('lets runs that follow one another pass, one of them failed', async () => {
    const failed: Event = { type: 'RUN_ERROR', message: 'no', code: 'provider_error' }
    const replays = await replayInAgUi([started('a'), failed, started('b'), finished('b')])
    expect(replays.map((replay) => replay.events)).toEqual([4, 4])
  })

  it('goes on from a snapshot: what the client holds is continued, not doubled', async () => {
    const metadata = { runId: 'a', createdAt: '2026-01-01T00:00:00.000Z' }
    const held: Message[] = [{ id: 'm', role: 'assistant', content: 'Hel', metadata }]
    const replays = await replayInAgUi([started('a'), open, say('lo'), close, finished('a')], { messages: held })
    for (const { messages } of replays) expect(messages).toMatchObject([{ id: 'm', content: 'Hello' }])
  })

  it('throws where 1.0.0 finds a field of the wrong type', async () => {
    await expect(replayIn('1.0.0', [started('a'), open, { ...say('x'), delta: 7 }])).rejects.toThrow('delta')
  })

  it('tells what 1.0.0 strips', async () => {
    const { warnings } = await replayIn('1.0.0', [{ ...started('a'), seq: 1 }, finished('a')])
    expect(warnings.join()).toContain('seq')
  })
})

const BAD: readonly (readonly [string, readonly unknown[], string])[] = [
  ['content before its start', [started('a'), say('x'), finished('a')], 'TEXT_MESSAGE_CONTENT'],
  ['a run that ends with an open message', [started('a'), open, say('x'), finished('a')], 'still active'],
  ['an event after the end', [...GOOD, open], 'already finished'],
  ['a run within a run', [started('a'), started('b')], 'still active'],
  ['a stream that begins in the middle', [open, say('x'), close], 'First event'],
]

describe.each(AG_UI_CLIENTS)('replayIn %s', (client) => {
  it.each(BAD)('throws at %s', async (_name, chunks, part) => {
    const refusal = await replayIn(client, chunks).catch((thrown: unknown) => thrown)
    expect(refusal).toBeInstanceOf(AgUiRefusal)
    expect(refusal).toMatchObject({ client, message: expect.stringContaining(part) })
  })

  it('throws at a stream without events', async () => {
    await expect(replayIn(client, [])).rejects.toBeInstanceOf(AgUiRefusal)
  })
})

describe('replayIn 0.0.59, which holds its schema against HTTP only', () => {
  it('lets a fault of the schema pass and tells it', async () => {
    const [first, second] = [started('a'), { ...finished('a'), outcome: { type: 'cancelled' } }]
    const { events, schemaFaults } = await replayIn('0.0.59', [first, second])
    expect(events).toBe(2)
    expect(schemaFaults).toEqual([expect.stringContaining('RUN_FINISHED: outcome.type')])
  })
})

describe('chunksOf', () => {
  it('takes the events out of what came over the wire', () => {
    expect(chunksOf([{ type: 'ping' }, { id: 'e-1', chunk: GOOD[0] }, { chunk: GOOD[1] }])).toEqual(GOOD.slice(0, 2))
  })
})
