import { EventSchema as AgUiEvent } from '@ag-ui/core/schemas'
import { EventSchemas as AgUiEvent059 } from 'ag-ui-client-059'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { canJoin, deltaItem, type Event, EventSchema, isDelta } from '../../src/protocol/events.ts'
import { replayInAgUi } from '../support/ag-ui.ts'
import { EVENTS, MESSAGES } from './samples.ts'

const samples = EVENTS.map((event) => [event.type, event] as const)

/** A sample with nothing but what its type must have. */
function bare(event: Event): unknown {
  switch (event.type) {
    case 'RUN_STARTED':
      return { type: event.type, threadId: event.threadId, runId: event.runId }
    case 'RUN_FINISHED':
      return { type: event.type, threadId: event.threadId, runId: event.runId, outcome: event.outcome }
    case 'RUN_ERROR':
      return { type: event.type, message: event.message, code: event.code }
    case 'TOOL_CALL_START':
      return { type: event.type, toolCallId: event.toolCallId, toolCallName: event.toolCallName }
    default:
      return event
  }
}

describe('the events (P-70)', () => {
  it('have a sample of every type', () => {
    const types = EventSchema.options.map((option) => option.entries.type.literal)
    expect(EVENTS.map((event) => event.type).sort()).toEqual([...types].sort())
  })

  it.each(samples)('%s is what its schema says, field by field', (_type, event) => {
    expect(v.parse(EventSchema, event)).toEqual(event)
    expect(v.is(EventSchema, bare(event))).toBe(true)
  })

  it.each(samples)('%s is accepted by the schemas of AG-UI 1.0.0 and 0.0.59', (_type, event) => {
    for (const sample of [event, bare(event)]) {
      expect(AgUiEvent.safeParse(sample).error).toBeUndefined()
      expect(AgUiEvent059.safeParse(sample).error).toBeUndefined()
    }
  })

  it('have one word that the schema of 0.0.59 lacks: a cancelled run, which its client takes over a socket all the same (P-74)', async () => {
    const ids = { threadId: 'thread', runId: 'run' }
    const cancelled = { type: 'RUN_FINISHED', ...ids, outcome: { type: 'cancelled' } }
    expect(v.is(EventSchema, cancelled)).toBe(true)
    expect(AgUiEvent.safeParse(cancelled).error).toBeUndefined()
    expect(AgUiEvent059.safeParse(cancelled).success).toBe(false)
    const replays = await replayInAgUi([{ type: 'RUN_STARTED', ...ids }, cancelled])
    expect(replays.map((replay) => replay.events)).toEqual([2, 2])
  })

  it.each(MESSAGES.map((message) => [message.role, message] as const))(
    'a %s message is accepted by both as the input of a run and in a snapshot',
    (_role, message) => {
      const ids = { threadId: 'thread', runId: 'run' }
      const input = { ...ids, messages: [message], tools: [], context: [] }
      for (const event of [
        { type: 'RUN_STARTED', ...ids, input },
        { type: 'MESSAGES_SNAPSHOT', messages: [message] },
      ]) {
        expect(AgUiEvent.safeParse(event).error).toBeUndefined()
        expect(AgUiEvent059.safeParse(event).error).toBeUndefined()
      }
    },
  )

  it('are a run that both clients follow, and neither warns of a field', async () => {
    const run = EVENTS.filter((event) => event.type !== 'RUN_ERROR')
    const failed: Event[] = [{ type: 'RUN_STARTED', threadId: 'thread', runId: 'run-2' }, ...EVENTS.slice(-1)]
    for (const { events, warnings, messages, schemaFaults } of await replayInAgUi([...run, ...failed])) {
      expect(events).toBe(run.length + failed.length)
      expect(warnings).toEqual([])
      expect(schemaFaults).toEqual([])
      expect(messages.map((message) => message.role)).toEqual(['user', 'reasoning', 'assistant', 'tool'])
    }
  })
})

const text = (messageId: string, delta: string): Event => ({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta })
const thought: Event = { type: 'REASONING_MESSAGE_CONTENT', messageId: 'a', delta: 'x' }
const args = (toolCallId: string): Event => ({ type: 'TOOL_CALL_ARGS', toolCallId, delta: 'x' })

describe('deltas (P-30)', () => {
  it('are the three that append text', () => {
    expect(EVENTS.filter(isDelta).map((event) => [event.type, deltaItem(event)])).toEqual([
      ['REASONING_MESSAGE_CONTENT', 'run-1-1'],
      ['TEXT_MESSAGE_CONTENT', 'run-1-2'],
      ['TOOL_CALL_ARGS', 'call-1'],
    ])
  })

  it.each([
    ['two of one message', text('a', 'x'), text('a', 'y'), true],
    ['two of two messages', text('a', 'x'), text('b', 'y'), false],
    ['text and reasoning under one id', text('a', 'x'), thought, false],
    ['two of one call', args('a'), args('a'), true],
    ['two of two calls', args('a'), args('b'), false],
    [
      'the end of a message after its text',
      text('a', 'x'),
      { type: 'TEXT_MESSAGE_END', messageId: 'a' } as const,
      false,
    ],
  ])('%s: joined %s', (_name, previous, next, joined) => {
    expect(canJoin(previous, next)).toBe(joined)
  })
})
