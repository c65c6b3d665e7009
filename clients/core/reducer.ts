import type {
  Ack,
  ControlFrame,
  Envelope,
  SessionReady,
  SessionSnapshot,
  SessionStatusFrame,
} from '../../src/protocol/frames.ts'
import { parseCursor } from '../../src/protocol/ids.ts'
import type { Message } from '../../src/protocol/messages.ts'
import { type Conversation, endIn, type RunEnd } from './conversation.ts'
import { mergeSnapshot, prepend } from './messages.ts'
import { reduceEvent } from './reduce-event.ts'
import { acknowledge, reduceSend, refuse, type SendInput, settle, settleAtRest } from './sends.ts'

/** What changes a conversation. `at` is when a frame came, ISO 8601. */
export type Input =
  | { readonly kind: 'frame'; readonly frame: ControlFrame | Envelope; readonly at: string }
  /** An acknowledged page of history that was asked for with `before`. */
  | {
      readonly kind: 'history'
      readonly before: string | undefined
      readonly messages: readonly Message[]
      readonly hasMore: boolean
    }
  | { readonly kind: 'cancelling'; readonly runId: string | undefined }
  | SendInput

/** The next state of a conversation. Pure; unknown and repeated input changes nothing. */
export function reduce(conversation: Conversation, input: Input): Conversation {
  switch (input.kind) {
    case 'frame':
      return reduceFrame(conversation, input.frame, input.at)
    case 'history': {
      const messages = prepend(conversation.messages, input.messages, input.before)
      return messages === conversation.messages ? conversation : { ...conversation, messages, hasMore: input.hasMore }
    }
    case 'cancelling':
      return { ...conversation, cancelling: input.runId }
    default:
      return reduceSend(conversation, input)
  }
}

function reduceFrame(conversation: Conversation, frame: ControlFrame | Envelope, at: string): Conversation {
  if ('chunk' in frame) return reduceEnvelope(conversation, frame, at)
  switch (frame.type) {
    case 'session.ready':
      return settleAtRest(ready(conversation, frame))
    case 'session.snapshot':
      return settleAtRest(snapshot(conversation, frame))
    case 'session.status':
      return settleAtRest(status(conversation, frame))
    case 'session.updated':
      return {
        ...conversation,
        ...(frame.title === undefined ? {} : { title: frame.title }),
        ...(frame.wallet === undefined ? {} : { wallet: frame.wallet ?? undefined }),
        ...(frame.model === undefined ? {} : { model: frame.model }),
      }
    case 'ack':
      return ack(conversation, frame)
    case 'error':
      return frame.clientMessageId === undefined ? conversation : refuse(conversation, frame.clientMessageId, frame)
    // About the connection, not the conversation.
    case 'rate_limit':
    case 'server.draining':
    case 'ping':
      return conversation
    default:
      return frame satisfies never
  }
}

function reduceEnvelope(conversation: Conversation, { id, chunk }: Envelope, at: string): Conversation {
  const { sync, cursor } = conversation
  // Nothing may be built on a copy that the snapshot is about to replace.
  if (sync.phase === 'snapshot') return conversation
  // Synthetic (P-29): the opening of a run that is on. It has no position.
  if (id === undefined) return reduceEvent(conversation, chunk, at)
  const position = parseCursor(id)
  const reached = sync.phase === 'opening' ? sync.start : cursor
  if (position === undefined || reached === undefined) return conversation
  // P-26: what this cursor covers was applied before, and another life of the log is another story.
  if (position.epoch !== reached.epoch || position.seq <= reached.seq) return conversation
  return { ...reduceEvent(conversation, chunk, at), sync: { phase: 'live' }, cursor: position }
}

function ready(conversation: Conversation, frame: SessionReady): Conversation {
  const start = { epoch: frame.epoch, seq: frame.seq }
  const running = frame.runId !== undefined
  const next: Conversation = {
    ...conversation,
    app: frame.app,
    status: frame.status,
    runId: frame.runId,
    lastRun: frame.lastRun,
    ends: withLastRun(conversation.ends, frame.lastRun),
    queue: frame.queue,
    pending: frame.pending,
    cancelling: conversation.cancelling === frame.runId ? conversation.cancelling : undefined,
    title: frame.title,
    wallet: frame.wallet,
    model: frame.model,
    models: frame.models,
    limits: frame.limits,
  }
  if (frame.resumed === 'tail') return { ...next, sync: { phase: 'live' }, cursor: start, epoch: frame.epoch }
  if (frame.resumed === 'snapshot') return { ...next, sync: { phase: 'snapshot', start, running } }
  return {
    ...next,
    sync: { phase: 'live' },
    cursor: start,
    epoch: frame.epoch,
    messages: [],
    hasMore: false,
    open: new Set(),
    streamRunId: undefined,
  }
}

function snapshot(conversation: Conversation, frame: SessionSnapshot): Conversation {
  const { sync } = conversation
  // P-62: what another process did, in the same life of the log.
  if (sync.phase !== 'snapshot')
    return { ...conversation, ...placed(mergeSnapshot(conversation.messages, frame, conversation.hasMore)) }
  // P-28
  const sameLife = conversation.epoch === sync.start.epoch
  const merged = sameLife ? mergeSnapshot(conversation.messages, frame, conversation.hasMore) : frame
  return {
    ...conversation,
    ...(sync.running
      ? { sync: { phase: 'opening' as const, start: sync.start }, cursor: undefined }
      : { sync: { phase: 'live' as const }, cursor: sync.start }),
    epoch: sync.start.epoch,
    ...placed(merged),
  }
}

function placed({ messages, hasMore }: Pick<Conversation, 'messages' | 'hasMore'>) {
  return { messages, hasMore, open: new Set<string>(), streamRunId: undefined }
}

function status(conversation: Conversation, frame: SessionStatusFrame): Conversation {
  const { cancelling, sync } = conversation
  // The run that the snapshot was opened with was another process's and is over: no event of it will come (P-62).
  const isOver = sync.phase === 'opening' && frame.runId === undefined
  return {
    ...conversation,
    ...(isOver ? { sync: { phase: 'live' as const }, cursor: sync.start } : {}),
    status: frame.status,
    runId: frame.runId,
    queue: frame.queue,
    pending: frame.pending ?? [],
    cancelling: cancelling === frame.runId ? cancelling : undefined,
    // The frame is whole (P-83): what it does not say is not so.
    lastRun: frame.lastRun,
    ends: withLastRun(conversation.ends, frame.lastRun),
  }
}

function ack(conversation: Conversation, frame: Ack): Conversation {
  if (frame.clientMessageId !== undefined) return settle(acknowledge(conversation, frame.clientMessageId, frame))
  if (frame.state === 'noop') return { ...conversation, cancelling: undefined }
  return conversation
}

/** What the terminal event said stays: it has the sentence, too. */
function withLastRun(
  ends: Readonly<Record<string, RunEnd>>,
  lastRun: SessionReady['lastRun'],
): Readonly<Record<string, RunEnd>> {
  if (lastRun === undefined) return ends
  const { runId, outcome, code } = lastRun
  if (endIn(ends, runId)?.outcome === outcome) return ends
  return { ...ends, [runId]: { outcome, ...(code === undefined ? {} : { code }) } }
}
