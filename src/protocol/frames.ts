import * as v from 'valibot'
import { EventSchema } from './events.ts'
import { MessageSchema, WalletSchema } from './messages.ts'

const epoch = v.string()
const seq = v.number()

export const StatusSchema = v.picklist(['idle', 'processing', 'interrupted'])
/** `interrupted`: the last run ended by cancel, crash, drain or policy. A queue that is not empty is `processing`. */
export type SessionStatus = v.InferOutput<typeof StatusSchema>

export const RunOutcomeSchema = v.picklist(['success', 'cancelled', 'error', 'interrupted'])
export type RunOutcome = v.InferOutput<typeof RunOutcomeSchema>

const LastRunSchema = v.object({ runId: v.string(), outcome: RunOutcomeSchema, code: v.optional(v.string()) })
const QueueItemSchema = v.object({ runId: v.string(), clientMessageId: v.string(), content: v.string() })
/** A tool call that an ended run left open: `client` waits for the browser to execute it, `approval` for a person's word. */
const PendingSchema = v.object({
  toolCallId: v.string(),
  toolName: v.string(),
  runId: v.string(),
  kind: v.picklist(['client', 'approval']),
  /** A connection has a lease on it. */
  claimed: v.optional(v.literal(true)),
})

export const LimitsSchema = v.object({
  frameBytes: v.number(),
  messageBytes: v.number(),
  queuedSends: v.number(),
  pageMessages: v.number(),
})
export type WireLimits = v.InferOutput<typeof LimitsSchema>

export const SessionReadySchema = v.object({
  type: v.literal('session.ready'),
  protocolVersion: v.string(),
  sessionId: v.string(),
  app: v.string(),
  epoch,
  /** Where the tail or snapshot that follows starts from; the client's cursor once that is applied. */
  seq,
  status: StatusSchema,
  runId: v.optional(v.string()),
  lastRun: v.optional(LastRunSchema),
  resumed: v.picklist(['tail', 'snapshot', 'new']),
  title: v.optional(v.string()),
  wallet: v.optional(WalletSchema),
  model: v.string(),
  /** The models that `session.update` may choose from. */
  models: v.array(v.string()),
  queue: v.array(QueueItemSchema),
  pending: v.array(PendingSchema),
  heartbeatMs: v.number(),
  limits: LimitsSchema,
  reconnectToken: v.optional(v.string()),
})

export const SessionSnapshotSchema = v.object({
  type: v.literal('session.snapshot'),
  messages: v.array(MessageSchema),
  hasMore: v.boolean(),
})

export const SessionStatusSchema = v.object({
  type: v.literal('session.status'),
  status: StatusSchema,
  runId: v.optional(v.string()),
  queued: v.number(),
  queue: v.array(QueueItemSchema),
  /** Absent when nothing waits. */
  pending: v.optional(v.array(PendingSchema)),
  lastRun: v.optional(LastRunSchema),
})

export const SessionUpdatedSchema = v.object({
  type: v.literal('session.updated'),
  title: v.optional(v.string()),
  wallet: v.optional(v.nullable(WalletSchema)),
  model: v.optional(v.string()),
})

/** The fields beside `ref` depend on the command: see the protocol's README, P-40 to P-48. */
export const AckSchema = v.object({
  type: v.literal('ack'),
  ref: v.optional(v.string()),
  clientMessageId: v.optional(v.string()),
  runId: v.optional(v.string()),
  state: v.optional(v.picklist(['started', 'queued', 'cancelling', 'noop'])),
  duplicate: v.optional(v.boolean()),
  expiresInMs: v.optional(v.number()),
  messages: v.optional(v.array(MessageSchema)),
  hasMore: v.optional(v.boolean()),
})

export const ErrorFrameSchema = v.object({
  type: v.literal('error'),
  ref: v.optional(v.string()),
  code: v.string(),
  message: v.string(),
  retryable: v.boolean(),
  retryAfterMs: v.optional(v.number()),
  /** Set when one could be read in the frame that is refused. */
  clientMessageId: v.optional(v.string()),
})

export const RateLimitSchema = v.object({
  type: v.literal('rate_limit'),
  name: v.string(),
  limit: v.number(),
  remaining: v.number(),
  resetMs: v.number(),
})

export const DrainingSchema = v.object({ type: v.literal('server.draining'), reconnectInMs: v.number() })
export const PingSchema = v.object({ type: v.literal('ping') })

export const ControlFrameSchema = v.variant('type', [
  SessionReadySchema,
  SessionSnapshotSchema,
  SessionStatusSchema,
  SessionUpdatedSchema,
  AckSchema,
  ErrorFrameSchema,
  RateLimitSchema,
  DrainingSchema,
  PingSchema,
])

/** An event in its envelope; without `id` it is synthetic (the opening of a run that was joined in the middle). */
export const EnvelopeSchema = v.object({ id: v.optional(v.string()), chunk: EventSchema })

export type ControlFrame = v.InferOutput<typeof ControlFrameSchema>
export type Envelope = v.InferOutput<typeof EnvelopeSchema>
export type SessionReady = v.InferOutput<typeof SessionReadySchema>
export type SessionSnapshot = v.InferOutput<typeof SessionSnapshotSchema>
export type SessionUpdated = v.InferOutput<typeof SessionUpdatedSchema>
export type SessionStatusFrame = v.InferOutput<typeof SessionStatusSchema>
export type Ack = v.InferOutput<typeof AckSchema>
export type ErrorFrame = v.InferOutput<typeof ErrorFrameSchema>
export type LastRun = v.InferOutput<typeof LastRunSchema>
export type QueueItem = v.InferOutput<typeof QueueItemSchema>
export type Pending = v.InferOutput<typeof PendingSchema>
