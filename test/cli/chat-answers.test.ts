import { describe, expect, it } from 'vitest'
import { ChatAnswers } from '../../src/cli/chat-answers.ts'
import type { Ack, ControlFrame, Envelope, SessionReady } from '../../src/protocol/frames.ts'
import type { Message } from '../../src/protocol/messages.ts'
import { READY } from './chat-server.ts'

const [FIRST, SECOND] = ['run-1', 'run-2']

const started = (runId: string): Ack => ({
  type: 'ack',
  clientMessageId: 'm',
  runId,
  state: 'started',
  duplicate: false,
})
const again = (runId: string): Ack => ({ ...started(runId), duplicate: true })
const ended = (runId: string, type: 'success' | 'cancelled'): Envelope => ({
  chunk: { type: 'RUN_FINISHED', threadId: 's1', runId, outcome: { type } },
})
const rest = (more: Partial<SessionReady>): ControlFrame => {
  const { status = 'idle', lastRun } = more
  return { type: 'session.status', status, queued: 0, queue: [], ...(lastRun === undefined ? {} : { lastRun }) }
}
const said = (runId: string, interrupted: boolean): Message => ({
  id: `${runId}-1`,
  role: 'assistant',
  content: 'One',
  metadata: { runId, createdAt: '2026-01-01T00:00:00.000Z', ...(interrupted ? { interrupted: true as const } : {}) },
})
const history = (...messages: Message[]): ControlFrame => ({ type: 'session.snapshot', messages, hasMore: false })

/** What is told of the frames, and how it stands after them. */
function follow(...frames: (ControlFrame | Envelope)[]) {
  const answers = new ChatAnswers()
  const told = frames.flatMap((frame) => answers.frame(frame))
  return { told, whole: answers.isWhole, rest: answers.isAtRest }
}

describe('the answers that parley chat follows', () => {
  it('are whole when each ended with success', () => {
    const begun = [READY, started(FIRST), rest({ status: 'processing' })]
    expect(follow(...begun)).toEqual({ told: [], whole: true, rest: false })
    const lastRun = { runId: FIRST, outcome: 'success' } as const
    expect(follow(...begun, ended(FIRST, 'success'), rest({ lastRun }))).toEqual({ told: [], whole: true, rest: true })
  })

  it('P-74: were stopped by a person or cut by the server, as the status says', () => {
    const stop = (outcome: 'cancelled' | 'interrupted') =>
      follow(READY, started(FIRST), ended(FIRST, 'cancelled'), rest({ lastRun: { runId: FIRST, outcome } }))
    expect(stop('cancelled')).toEqual({ told: ['stopped'], whole: false, rest: true })
    expect(stop('interrupted')).toEqual({ told: ['the answer was interrupted'], whole: false, rest: true })
  })

  it('P-74: of a process that died are told by the last run, once', () => {
    const lastRun = { runId: FIRST, outcome: 'interrupted' } as const
    const back = { ...READY, resumed: 'snapshot', status: 'interrupted', lastRun } as const
    const crashed = [READY, started(FIRST), rest({ status: 'processing' }), back, history(said(FIRST, true))]
    expect(follow(...crashed, rest({ status: 'interrupted', lastRun }))).toEqual({
      told: ['the answer was interrupted'],
      whole: false,
      rest: true,
    })
  })

  it('P-74: that failed while there was no connection are told with the sentence of their code', () => {
    const lastRun = { runId: FIRST, outcome: 'error', code: 'provider_overloaded' } as const
    const back = { ...READY, resumed: 'snapshot', lastRun } as const
    expect(follow(READY, started(FIRST), back, history()).told).toEqual([
      'the run failed: The model is overloaded; try again',
    ])
  })

  it('before the last run are told by their messages', () => {
    const lastRun = { runId: SECOND, outcome: 'success' } as const
    const back = { ...READY, resumed: 'snapshot', lastRun } as const
    const away = (interrupted: boolean) =>
      follow(READY, started(FIRST), started(SECOND), back, history(said(FIRST, interrupted), said(SECOND, false)))
    expect(away(true)).toEqual({ told: ['the answer was interrupted'], whole: false, rest: true })
    expect(away(false)).toEqual({ told: [], whole: true, rest: true })
  })

  it('P-41: of a message that was sent again may have ended before it was acknowledged', () => {
    const lastRun = { runId: FIRST, outcome: 'interrupted' } as const
    const back = { ...READY, resumed: 'snapshot', status: 'interrupted', lastRun } as const
    const crashed = [READY, back, history(said(FIRST, true))]
    expect(follow(...crashed)).toEqual({ told: [], whole: true, rest: true })
    expect(follow(...crashed, again(FIRST)).told).toEqual(['the answer was interrupted'])
    const { told, rest: done } = follow(READY, back, again(SECOND), history(said(SECOND, false)))
    expect([told, done]).toEqual([[], true])
  })

  it('P-56: never began where their message was taken out of the queue', () => {
    const lastRun = { runId: FIRST, outcome: 'cancelled' } as const
    const all = follow(
      READY,
      started(FIRST),
      { ...started(SECOND), state: 'queued' },
      rest({ status: 'processing' }),
      { type: 'ack', runId: FIRST, state: 'cancelling' },
      ended(FIRST, 'cancelled'),
      rest({ status: 'interrupted', lastRun }),
    )
    expect(all).toEqual({ told: ['stopped', 'what waited got no answer'], whole: false, rest: true })
  })

  it('are none of those that ended before the chat began', () => {
    const lastRun = { runId: FIRST, outcome: 'interrupted' } as const
    const opened = { ...READY, resumed: 'snapshot', status: 'interrupted', lastRun } as const
    expect(follow(opened)).toMatchObject({ rest: false })
    expect(follow(opened, history(said(FIRST, true)))).toEqual({ told: [], whole: true, rest: true })
  })

  it('are those, too, that the chat came into', () => {
    const opened = { ...READY, resumed: 'snapshot', status: 'processing', runId: FIRST } as const
    const lastRun = { runId: FIRST, outcome: 'interrupted' } as const
    const joined = [opened, history(said(FIRST, false))]
    expect(follow(...joined)).toEqual({ told: [], whole: true, rest: false })
    expect(follow(...joined, rest({ status: 'interrupted', lastRun })).told).toEqual(['the answer was interrupted'])
  })
})
