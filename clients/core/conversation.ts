import type { LastRun, Pending, QueueItem, RunOutcome, SessionStatus, WireLimits } from '../../src/protocol/frames.ts'
import type { Cursor } from '../../src/protocol/ids.ts'
import { MAX_INBOUND_FRAME_BYTES, MAX_MESSAGE_BYTES, MAX_PAGE_MESSAGES } from '../../src/protocol/limits.ts'
import type { Message, Wallet } from '../../src/protocol/messages.ts'

/** How a run ended, as far as this client heard. `code` and `message` are of the error table. */
export type RunEnd = { readonly outcome: RunOutcome; readonly code?: string; readonly message?: string }

/** Run ids are clients' to choose, and `constructor` is one: only what was put in counts. */
export function endIn(ends: Conversation['ends'], runId: string): RunEnd | undefined {
  return Object.hasOwn(ends, runId) ? ends[runId] : undefined
}

/** Where a send that is not yet part of the conversation stands. */
export type Delivery =
  /** There is no connection that could take it; it goes out with the next one. */
  | { readonly state: 'waiting' }
  | { readonly state: 'sending' }
  /** Acknowledged: durable. The run that shows it has yet to start. */
  | { readonly state: 'sent'; readonly runId?: string }
  | { readonly state: 'failed'; readonly code: string; readonly message: string; readonly retryable: boolean }

export type SendPolicy = 'enqueue' | 'reject' | 'interrupt'

/** A send that was made here. It leaves when the server shows it: as a message or in the queue. */
export type PendingSend = {
  readonly id: string
  readonly text: string
  readonly policy: SendPolicy
  readonly replaces?: string
  /** It was made while a run was on, so it will most likely wait in the queue. */
  readonly behind: boolean
  readonly delivery: Delivery
}

/** What of `session.ready`'s promise is still to come. `start` becomes the cursor once all of it is applied. */
export type Sync =
  | { readonly phase: 'live' }
  | { readonly phase: 'snapshot'; readonly start: Cursor; readonly running: boolean }
  | { readonly phase: 'opening'; readonly start: Cursor }

/** All that a client knows of one session. Replaced, never changed. */
export type Conversation = {
  readonly app: string | undefined
  readonly sync: Sync
  /** What the next handshake asks to go on from; absent when the local copy stands between two positions. */
  readonly cursor: Cursor | undefined
  /** The life of the log that `messages` were read from. */
  readonly epoch: string | undefined
  /** Oldest first, in AG-UI's shape; what streams grows in place. */
  readonly messages: readonly Message[]
  /** There are older messages at the server. */
  readonly hasMore: boolean
  /** Messages and tool calls that are still being written. */
  readonly open: ReadonlySet<string>
  readonly status: SessionStatus
  readonly runId: string | undefined
  /** The run that the stream is in at the cursor: what events without a run id belong to. */
  readonly streamRunId: string | undefined
  readonly ends: Readonly<Record<string, RunEnd>>
  readonly lastRun: LastRun | undefined
  readonly queue: readonly QueueItem[]
  readonly pending: readonly Pending[]
  readonly sends: readonly PendingSend[]
  /** The run that a stop was asked for and that has not ended yet. */
  readonly cancelling: string | undefined
  readonly title: string | undefined
  readonly wallet: Wallet | undefined
  readonly model: string | undefined
  readonly models: readonly string[]
  readonly limits: WireLimits
}

/** Sends that may wait in a session's queue, until the server says its own number. */
const DEFAULT_QUEUED_SENDS = 10

export const EMPTY_CONVERSATION: Conversation = {
  app: undefined,
  sync: { phase: 'live' },
  cursor: undefined,
  epoch: undefined,
  messages: [],
  hasMore: false,
  open: new Set(),
  status: 'idle',
  runId: undefined,
  streamRunId: undefined,
  ends: {},
  lastRun: undefined,
  queue: [],
  pending: [],
  sends: [],
  cancelling: undefined,
  title: undefined,
  wallet: undefined,
  model: undefined,
  models: [],
  limits: {
    frameBytes: MAX_INBOUND_FRAME_BYTES,
    messageBytes: MAX_MESSAGE_BYTES,
    queuedSends: DEFAULT_QUEUED_SENDS,
    pageMessages: MAX_PAGE_MESSAGES,
  },
}
