import { describe, expect, it } from 'vitest'
import { type Conversation, EMPTY_CONVERSATION, type PendingSend } from '../../clients/core/conversation.ts'
import { type Entry, sendsBehind, toEntries } from '../../clients/core/entries.ts'
import type { Message } from '../../src/protocol/messages.ts'
import { AT, userMessage } from '../support/fake-server.ts'

const metadata = { runId: 'r1', createdAt: AT }
const call = { id: 'c1', type: 'function' as const, function: { name: 'calculate', arguments: '{}' } }
const asking: Message = { id: 'a1', role: 'assistant', toolCalls: [call], metadata }
const result: Message = { id: 't1', role: 'tool', toolCallId: 'c1', content: '2', metadata }
const answer: Message = { id: 'a2', role: 'assistant', content: 'Two.', metadata }

function talk(messages: readonly Message[], more: Partial<Conversation> = {}): readonly Entry[] {
  return toEntries({ ...EMPTY_CONVERSATION, messages: [userMessage('u1', 'r1', 'add'), ...messages], ...more })
}

function pending(more: Partial<PendingSend>): PendingSend {
  const delivery = { state: 'sending' as const }
  return { id: 'm1', text: 'mine', policy: 'enqueue', behind: false, delivery, ...more }
}

const kinds = (entries: readonly Entry[]): string[] => entries.map((entry) => entry.kind)

describe('the transcript', () => {
  it('shows a run as question, calls with their results, answer and end', () => {
    const entries = talk([asking, result, answer])
    expect(kinds(entries)).toEqual(['user', 'tool', 'answer', 'end'])
    expect(entries[1]).toMatchObject({ name: 'calculate', result: '2', state: 'done' })
    expect(entries[3]).toMatchObject({ end: { outcome: 'success' }, isLast: true, answers: ['a2'] })
  })

  it('ends a run by what is known of it, whatever the run is called', () => {
    const named = (runId: string) => ({ ...asking, metadata: { ...asking.metadata, runId } })
    for (const runId of ['constructor', 'toString', '__proto__'])
      expect(talk([named(runId)]).at(-1)).toMatchObject({ kind: 'end', runId, end: { outcome: 'success' } })
  })

  it('has one foot for an answer that waited for a person, with all of its texts', () => {
    const before: Message = { ...answer, id: 'a0', content: 'Let me see.' }
    const on = { ...metadata, runId: 'r2' }
    const goneOn = [before, asking, result, { ...answer, metadata: on }]
    const entries = talk(goneOn)
    expect(kinds(entries)).toEqual(['user', 'answer', 'tool', 'answer', 'end'])
    expect(entries.at(-1)).toMatchObject({ runId: 'r2', isLast: true, answers: ['a0', 'a2'] })
    const next = talk([
      ...goneOn,
      userMessage('u3', 'r3', 'more'),
      { ...answer, id: 'a3', metadata: { ...on, runId: 'r3' } },
    ])
    expect(kinds(next).slice(4)).toEqual(['end', 'user', 'answer', 'end'])
    expect(next.at(-1)).toMatchObject({ runId: 'r3', answers: ['a3'] })
  })

  it('does not take a run for over whose call waits for a person', () => {
    const pending = [{ toolCallId: 'c1', toolName: 'calculate', runId: 'r1', kind: 'approval' as const }]
    expect(talk([asking], { pending }).at(-1)).toMatchObject({ kind: 'end', answers: [], waits: true })
    expect(talk([asking]).at(-1)).toMatchObject({ kind: 'end', waits: false })
  })

  it('shows a message that has not changed as the same entry, and one that has as another', () => {
    const question = userMessage('u1', 'r1', 'add')
    const show = (more: Partial<Conversation>) =>
      toEntries({ ...EMPTY_CONVERSATION, messages: [question, answer], ...more })
    const [asked, said] = show({ open: new Set(['a2']), runId: 'r1' })
    expect(show({})[0]).toBe(asked)
    expect(said).toMatchObject({ streaming: true })
    const [, done] = show({})
    expect(done).toMatchObject({ streaming: false })
    expect(show({})[1]).toBe(done)
    expect(show({ messages: [question, { ...answer, content: 'Three.' }] })[1]).toMatchObject({ text: 'Three.' })
  })

  it('tells a call that is written, runs, failed, or was left without a result', () => {
    const on = { status: 'processing' as const, runId: 'r1' }
    expect(talk([asking], { ...on, open: new Set(['c1']) })[1]).toMatchObject({ state: 'writing' })
    expect(talk([asking], on)[1]).toMatchObject({ state: 'running' })
    expect(talk([asking, { ...result, error: 'No' }], on)[1]).toMatchObject({ state: 'failed', error: 'No' })
    expect(talk([asking])[1]).toMatchObject({ state: 'unfinished' })
  })

  it('shows that something is coming only while nothing comes', () => {
    const on = { status: 'processing' as const, runId: 'r1' }
    expect(kinds(talk([], on))).toEqual(['user', 'working'])
    expect(kinds(talk([answer], { ...on, open: new Set(['a2']) }))).toEqual(['user', 'answer'])
    expect(kinds(talk([asking, result], on))).toEqual(['user', 'tool', 'working'])
  })

  it('says how a run ended, also when only its messages tell', () => {
    const interrupted: Message = { ...answer, metadata: { ...metadata, interrupted: true } }
    expect(talk([interrupted]).at(-1)).toMatchObject({ end: { outcome: 'unfinished' } })
    const ends = { r1: { outcome: 'error' as const, code: 'provider_error', message: 'No answer' } }
    expect(talk([], { ends }).at(-1)).toMatchObject({ end: ends.r1, answers: [] })
  })

  it('puts own sends at the end, and those that will wait elsewhere', () => {
    const sends = [pending({}), pending({ id: 'm2', behind: true })]
    expect(talk([answer], { sends }).at(-1)).toMatchObject({ kind: 'user', id: 'm1', delivery: { state: 'sending' } })
    expect(sendsBehind({ ...EMPTY_CONVERSATION, sends }).map(({ id }) => id)).toEqual(['m2'])
  })

  it('hides what an edit replaces while the edit is on its way, and shows it again when that failed', () => {
    const edit = pending({ replaces: 'u1' })
    expect(kinds(talk([answer], { sends: [edit] }))).toEqual(['user'])
    const failed = { ...edit, delivery: { state: 'failed' as const, code: 'x', message: 'No', retryable: false } }
    expect(kinds(talk([answer], { sends: [failed] }))).toEqual(['user', 'answer', 'end', 'user'])
  })
})
