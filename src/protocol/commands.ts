import * as v from 'valibot'
import { ClientIdSchema } from './ids.ts'
import { MAX_NAME_LENGTH, MAX_PAGE_MESSAGES, MAX_TITLE_LENGTH } from './limits.ts'
import { StorableText, UserContentSchema, WalletSchema } from './messages.ts'

/** Any command may carry `id`; its ack or error says it as `ref`. */
const id = v.optional(ClientIdSchema)
const entityId = v.pipe(StorableText, v.minLength(1), v.maxLength(MAX_NAME_LENGTH))

export const MessageSendSchema = v.object({
  type: v.literal('message.send'),
  id,
  clientMessageId: ClientIdSchema,
  content: UserContentSchema,
  /** What to do while a run is active. */
  policy: v.optional(v.picklist(['enqueue', 'reject', 'interrupt']), 'enqueue'),
  /** Edit: the user message that this one takes the place of, with all that followed it. */
  replaces: v.optional(ClientIdSchema),
})

export const RunCancelSchema = v.object({
  type: v.literal('run.cancel'),
  id,
  /** Default: the active run. A queued send's runId removes it from the queue. */
  runId: v.optional(entityId),
  /** Empties the queue, too. */
  all: v.optional(v.boolean(), false),
})

export const RunRetrySchema = v.object({ type: v.literal('run.retry'), id, runId: entityId })

export const RunResumeSchema = v.object({
  type: v.literal('run.resume'),
  id,
  resume: v.pipe(
    v.array(
      v.object({
        interruptId: entityId,
        status: v.picklist(['resolved', 'cancelled']),
        /** With `resolved`: `{approved}`, what the person said. */
        payload: v.optional(v.unknown()),
      }),
    ),
    v.minLength(1),
    v.maxLength(MAX_PAGE_MESSAGES),
  ),
})

/** What answers an approval. */
export const ApprovalSchema = v.looseObject({ approved: v.boolean() })

export const ToolClaimSchema = v.object({ type: v.literal('tool.claim'), id, toolCallId: entityId })

export const ToolResultSchema = v.object({
  type: v.literal('tool.result'),
  id,
  toolCallId: entityId,
  content: StorableText,
  error: v.optional(StorableText),
})

export const SessionUpdateSchema = v.object({
  type: v.literal('session.update'),
  id,
  title: v.optional(v.pipe(StorableText, v.trim(), v.minLength(1), v.maxLength(MAX_TITLE_LENGTH))),
  /** null unbinds. */
  wallet: v.optional(v.nullable(WalletSchema)),
  model: v.optional(entityId),
})

export const HistoryGetSchema = v.object({
  type: v.literal('history.get'),
  id,
  /** A message's id: the page holds what came before it. Default: the newest. */
  before: v.optional(entityId),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PAGE_MESSAGES)), MAX_PAGE_MESSAGES),
})

export const PongSchema = v.object({ type: v.literal('pong'), id })

export const CommandSchema = v.variant('type', [
  MessageSendSchema,
  RunCancelSchema,
  RunRetrySchema,
  RunResumeSchema,
  ToolClaimSchema,
  ToolResultSchema,
  SessionUpdateSchema,
  HistoryGetSchema,
  PongSchema,
])

export type Command = v.InferOutput<typeof CommandSchema>
/** A command as a client writes it: what has a default may be left out. */
export type CommandInput = v.InferInput<typeof CommandSchema>
export type CommandType = Command['type']
export type MessageSend = v.InferOutput<typeof MessageSendSchema>
export type RunCancel = v.InferOutput<typeof RunCancelSchema>
export type RunRetry = v.InferOutput<typeof RunRetrySchema>
export type RunResume = v.InferOutput<typeof RunResumeSchema>
export type ToolClaim = v.InferOutput<typeof ToolClaimSchema>
export type ToolResult = v.InferOutput<typeof ToolResultSchema>
export type SessionUpdate = v.InferOutput<typeof SessionUpdateSchema>
export type HistoryGet = v.InferOutput<typeof HistoryGetSchema>
