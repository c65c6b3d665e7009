import * as v from 'valibot'
import { MessageSchema } from './messages.ts'

/**
 * The AG-UI 1.0 events that Parley sends, as both current and 0.0.59 clients accept them. Optional fields are absent, never null.
 */
const messageId = v.string()
const toolCallId = v.string()
const delta = v.string()

/** Token counts of one model, totals inclusive of cache reads and writes. */
export const UsageSchema = v.object({
  provider: v.optional(v.string()),
  model: v.optional(v.string()),
  inputTokens: v.number(),
  outputTokens: v.number(),
  totalTokens: v.number(),
  cachedInputTokens: v.optional(v.number()),
  cacheWriteInputTokens: v.optional(v.number()),
  reasoningTokens: v.optional(v.number()),
})
export type Usage = v.InferOutput<typeof UsageSchema>

const RunInputSchema = v.object({
  threadId: v.string(),
  runId: v.string(),
  messages: v.array(MessageSchema),
  tools: v.array(v.unknown()),
  context: v.array(v.unknown()),
})

/** A call that a person is asked to approve; `run.resume` answers it by its id, the tool call's. */
const InterruptSchema = v.object({
  id: v.string(),
  reason: v.literal('tool_call'),
  message: v.string(),
  toolCallId: v.string(),
  responseSchema: v.unknown(),
})
export type Interrupt = v.InferOutput<typeof InterruptSchema>

/** `interrupt` is AG-UI's word for a pause that waits for a person's approval. */
const OutcomeSchema = v.variant('type', [
  v.object({ type: v.literal('success') }),
  v.object({ type: v.literal('interrupt'), interrupts: v.array(InterruptSchema) }),
  v.object({ type: v.literal('cancelled') }),
])

/** `CUSTOM` event that opens a run which replaces earlier ones: drop message `from` and every later one that is not of this run. */
export const REWIND_EVENT = 'parley.rewind'

export const EventSchema = v.variant('type', [
  v.object({
    type: v.literal('RUN_STARTED'),
    threadId: v.string(),
    runId: v.string(),
    parentRunId: v.optional(v.string()),
    input: v.optional(RunInputSchema),
  }),
  v.object({
    type: v.literal('RUN_FINISHED'),
    threadId: v.string(),
    runId: v.string(),
    outcome: OutcomeSchema,
    usage: v.optional(v.array(UsageSchema)),
    result: v.optional(v.object({ stopReason: v.string() })),
  }),
  v.object({
    type: v.literal('RUN_ERROR'),
    message: v.string(),
    code: v.string(),
    usage: v.optional(v.array(UsageSchema)),
  }),
  v.object({ type: v.literal('TEXT_MESSAGE_START'), messageId, role: v.literal('assistant') }),
  v.object({ type: v.literal('TEXT_MESSAGE_CONTENT'), messageId, delta }),
  v.object({ type: v.literal('TEXT_MESSAGE_END'), messageId }),
  v.object({ type: v.literal('REASONING_START'), messageId }),
  v.object({ type: v.literal('REASONING_MESSAGE_START'), messageId, role: v.literal('reasoning') }),
  v.object({ type: v.literal('REASONING_MESSAGE_CONTENT'), messageId, delta }),
  v.object({ type: v.literal('REASONING_MESSAGE_END'), messageId }),
  v.object({ type: v.literal('REASONING_END'), messageId }),
  v.object({
    type: v.literal('TOOL_CALL_START'),
    toolCallId,
    toolCallName: v.string(),
    parentMessageId: v.optional(v.string()),
  }),
  v.object({ type: v.literal('TOOL_CALL_ARGS'), toolCallId, delta }),
  v.object({ type: v.literal('TOOL_CALL_END'), toolCallId }),
  v.object({
    type: v.literal('TOOL_CALL_RESULT'),
    messageId,
    toolCallId,
    content: v.string(),
    role: v.literal('tool'),
    /** Present when the tool failed; the content says how. */
    metadata: v.optional(v.object({ isError: v.literal(true) })),
  }),
  v.object({ type: v.literal('CUSTOM'), name: v.literal(REWIND_EVENT), value: v.object({ from: v.string() }) }),
  v.object({ type: v.literal('MESSAGES_SNAPSHOT'), messages: v.array(MessageSchema) }),
])

export type Event = v.InferOutput<typeof EventSchema>
export type EventType = Event['type']

/** Events whose `delta` joins the one before of the same item; not durable. */
export type DeltaEvent = Extract<Event, { delta: string }>

export function isDelta(event: Event): event is DeltaEvent {
  return 'delta' in event
}

/** The item that a delta belongs to: a message's or tool call's id. */
export function deltaItem(event: DeltaEvent): string {
  return event.type === 'TOOL_CALL_ARGS' ? event.toolCallId : event.messageId
}

/** True when `next` can be joined to `previous` by concatenating their deltas. */
export function canJoin(previous: Event, next: Event): boolean {
  return isDelta(previous) && isDelta(next) && previous.type === next.type && deltaItem(previous) === deltaItem(next)
}

/** The one event at which a run ends. */
export type TerminalEvent = Extract<Event, { type: 'RUN_FINISHED' | 'RUN_ERROR' }>
