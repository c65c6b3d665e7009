import type { CommandInput, CommandType } from '../../src/protocol/commands.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { ControlFrame } from '../../src/protocol/frames.ts'
import type { Message } from '../../src/protocol/messages.ts'
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts'

const SESSION = '0b9f7c1e-5d0a-4c1b-9f1e-2f6a3c8d7e10'
const metadata = { runId: 'run-1', createdAt: '2026-01-01T00:00:00.000Z' }

/** One message of every role, with every field that a message may have. */
export const MESSAGES = [
  { id: 'message-1', role: 'user', content: 'What is 2 + 2?', metadata },
  { id: 'run-1-1', role: 'reasoning', content: 'They want a sum.', metadata: { ...metadata, interrupted: true } },
  {
    id: 'run-1-2',
    role: 'assistant',
    content: 'Let me see.',
    toolCalls: [{ id: 'call-1', type: 'function', function: { name: 'calculate', arguments: '{"expression":"2+2"}' } }],
    metadata,
  },
  {
    id: 'run-1-3',
    role: 'tool',
    toolCallId: 'call-1',
    content: '4',
    error: '4',
    metadata: { ...metadata, truncated: true },
  },
] satisfies Message[]

const usage = [
  {
    provider: 'anthropic',
    model: 'claude',
    inputTokens: 10,
    outputTokens: 5,
    totalTokens: 15,
    cachedInputTokens: 4,
    cacheWriteInputTokens: 2,
    reasoningTokens: 3,
  },
]

/**
 * One event of every type, with every field that it may have, in an order that is a run.
 */
export const EVENTS = [
  {
    type: 'RUN_STARTED',
    threadId: SESSION,
    runId: 'run-1',
    parentRunId: 'run-0',
    input: { threadId: SESSION, runId: 'run-1', messages: MESSAGES.slice(0, 1), tools: [], context: [] },
  },
  { type: 'MESSAGES_SNAPSHOT', messages: MESSAGES.slice(0, 1) },
  { type: 'CUSTOM', name: 'parley.rewind', value: { from: 'run-0-1' } },
  { type: 'REASONING_START', messageId: 'run-1-1' },
  { type: 'REASONING_MESSAGE_START', messageId: 'run-1-1', role: 'reasoning' },
  { type: 'REASONING_MESSAGE_CONTENT', messageId: 'run-1-1', delta: 'They want a sum.' },
  { type: 'REASONING_MESSAGE_END', messageId: 'run-1-1' },
  { type: 'REASONING_END', messageId: 'run-1-1' },
  { type: 'TEXT_MESSAGE_START', messageId: 'run-1-2', role: 'assistant' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'run-1-2', delta: 'Let me see.' },
  { type: 'TOOL_CALL_START', toolCallId: 'call-1', toolCallName: 'calculate', parentMessageId: 'run-1-2' },
  { type: 'TOOL_CALL_ARGS', toolCallId: 'call-1', delta: '{"expression":"2+2"}' },
  { type: 'TOOL_CALL_END', toolCallId: 'call-1' },
  { type: 'TEXT_MESSAGE_END', messageId: 'run-1-2' },
  {
    type: 'TOOL_CALL_RESULT',
    messageId: 'run-1-3',
    toolCallId: 'call-1',
    content: '4',
    role: 'tool',
    metadata: { isError: true },
  },
  {
    type: 'RUN_FINISHED',
    threadId: SESSION,
    runId: 'run-1',
    outcome: { type: 'success' },
    usage,
    result: { stopReason: 'end' },
  },
  { type: 'RUN_ERROR', message: 'The model could not answer', code: 'provider_error', usage },
] satisfies Event[]

/** One command of every type, with every field that it may have. */
export const COMMANDS = {
  'message.send': {
    type: 'message.send',
    id: 'command-1',
    clientMessageId: 'message-1',
    content: [
      { type: 'text', text: 'What is ' },
      { type: 'text', text: '2 + 2?' },
    ],
    policy: 'interrupt',
    replaces: 'message-0',
  },
  'run.cancel': { type: 'run.cancel', id: 'command-1', runId: 'run-1', all: true },
  'run.retry': { type: 'run.retry', id: 'command-1', runId: 'run-1' },
  'run.resume': {
    type: 'run.resume',
    id: 'command-1',
    resume: [{ interruptId: 'interrupt-1', status: 'resolved', payload: { approved: true } }],
  },
  'tool.claim': { type: 'tool.claim', id: 'command-1', toolCallId: 'call-1' },
  'tool.result': { type: 'tool.result', id: 'command-1', toolCallId: 'call-1', content: '4', error: 'no' },
  'session.update': {
    type: 'session.update',
    id: 'command-1',
    title: 'Sums',
    wallet: { address: '0xabc', chain: 1 },
    model: 'scripted/demo',
  },
  'history.get': { type: 'history.get', id: 'command-1', before: 'message-1', limit: 20 },
  pong: { type: 'pong', id: 'command-1' },
} satisfies { [T in CommandType]: Extract<CommandInput, { type: T }> }

const queue = [{ runId: 'run-2', clientMessageId: 'message-2', content: 'And 3 + 3?' }]
const lastRun = { runId: 'run-0', outcome: 'error' as const, code: 'provider_error' }

const pending = [
  { toolCallId: 'call-1', toolName: 'calculate', runId: 'run-1', kind: 'client' as const, claimed: true as const },
]

/** One control frame of every type, with every field that it may have. */
export const CONTROL_FRAMES = {
  'session.ready': {
    type: 'session.ready',
    protocolVersion: PROTOCOL_VERSION,
    sessionId: SESSION,
    app: 'default',
    epoch: '3f9c2a7b41d0',
    seq: 17,
    status: 'processing',
    runId: 'run-1',
    lastRun,
    resumed: 'snapshot',
    title: 'Sums',
    wallet: { address: '0xabc', chain: '1' },
    model: 'scripted/demo',
    models: ['scripted/demo'],
    queue,
    pending,
    heartbeatMs: 25_000,
    limits: { frameBytes: 65_536, messageBytes: 32_768, queuedSends: 10, pageMessages: 100 },
    reconnectToken: 'token',
  },
  'session.snapshot': { type: 'session.snapshot', messages: MESSAGES, hasMore: true },
  'session.status': {
    type: 'session.status',
    status: 'processing',
    runId: 'run-1',
    queued: 1,
    queue,
    pending,
    lastRun,
  },
  'session.updated': { type: 'session.updated', title: 'Sums', wallet: null, model: 'scripted/demo' },
  ack: {
    type: 'ack',
    ref: 'command-1',
    clientMessageId: 'message-1',
    runId: 'run-1',
    state: 'started',
    duplicate: false,
    expiresInMs: 30_000,
    messages: MESSAGES,
    hasMore: false,
  },
  error: {
    type: 'error',
    ref: 'command-1',
    code: 'rate_limit_exceeded',
    message: 'Rate limit exceeded. Please try again later.',
    retryable: true,
    retryAfterMs: 1000,
    clientMessageId: 'message-1',
  },
  rate_limit: { type: 'rate_limit', name: 'commands', limit: 20, remaining: 0, resetMs: 50 },
  'server.draining': { type: 'server.draining', reconnectInMs: 1000 },
  ping: { type: 'ping' },
} satisfies { [T in ControlFrame['type']]: Extract<ControlFrame, { type: T }> }
