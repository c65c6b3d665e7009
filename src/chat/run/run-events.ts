import type { MessageRow } from '../../ports/store.ts'
import type { Event } from '../../protocol/events.ts'
import { toWire } from '../session/wire-messages.ts'
import type { RunPlan } from './run-plan.ts'

/** The first event of a run; carries the person's message, so that tabs which did not send it show it. */
export function startedEvent({ row, userMessage }: RunPlan): Event {
  const messages = userMessage === undefined ? [] : [toWire(userMessage)]
  const ids = { threadId: row.sessionId, runId: row.id }
  const parent = row.parentRunId === undefined ? {} : { parentRunId: row.parentRunId }
  return {
    type: 'RUN_STARTED',
    ...ids,
    ...parent,
    input: { ...ids, messages, tools: [], context: [] },
  }
}

/** A tool's result as clients get it, shortened for the wire. */
export function resultEvent(row: MessageRow): Event {
  const content = toWire(row).content ?? ''
  const failed = row.isError === true ? { metadata: { isError: true as const } } : {}
  return {
    type: 'TOOL_CALL_RESULT',
    messageId: row.id,
    toolCallId: row.toolCallId ?? '',
    content,
    role: 'tool',
    ...failed,
  }
}
