import type { Message, ToolCall } from '../../src/protocol/messages.ts'
import { type Conversation, type Delivery, endIn, type PendingSend, type RunEnd } from './conversation.ts'

/** What a page shows, one thing under another. Ids are unique and stay the same while the thing does. */
export type Entry = UserEntry | AnswerEntry | ReasoningEntry | ToolEntry | EndEntry | WorkingEntry

export type UserEntry = {
  readonly kind: 'user'
  readonly id: string
  readonly text: string
  /** Absent for what the server has not taken yet. */
  readonly runId?: string
  readonly createdAt?: string
  readonly delivery?: Delivery
}
export type AnswerEntry = {
  readonly kind: 'answer'
  readonly id: string
  readonly runId: string
  readonly text: string
  readonly streaming: boolean
}
export type ReasoningEntry = Omit<AnswerEntry, 'kind'> & { readonly kind: 'reasoning' }
/** `asks`: a person decides; `elsewhere`: a page that has this tool is to execute it. */
export type ToolState = 'writing' | 'running' | 'asks' | 'elsewhere' | 'done' | 'failed' | 'unfinished'
export type ToolEntry = {
  readonly kind: 'tool'
  readonly id: string
  readonly callId: string
  readonly runId: string
  readonly name: string
  readonly arguments: string
  readonly result?: string
  readonly error?: string
  readonly truncated: boolean
  readonly state: ToolState
}
/** The foot of a run that has ended: what became of it and what can be done now. */
export type EndEntry = {
  readonly kind: 'end'
  readonly id: string
  readonly runId: string
  /** `unfinished`: of an earlier run a snapshot says no more, neither that somebody stopped it nor that it broke off. */
  readonly end: RunEnd | { readonly outcome: 'unfinished' }
  readonly isLast: boolean
  /** A call of it waits for a person or a page: it is not over. */
  readonly waits: boolean
  /** When its last message began, ISO 8601. */
  readonly at?: string
  /** Ids of the answers above, for copying. */
  readonly answers: readonly string[]
}
/** A run is on and nothing of it streams at the moment. */
export type WorkingEntry = { readonly kind: 'working'; readonly id: 'working' }

type ToolMessage = Extract<Message, { role: 'tool' }>

/** The transcript of a conversation, oldest first, with this client's own sends at the end. */
export function toEntries(conversation: Conversation): readonly Entry[] {
  const results = new Map<string, ToolMessage>()
  for (const message of conversation.messages) if (message.role === 'tool') results.set(message.toolCallId, message)
  const entries: Entry[] = []
  const runs = splitByRun(visibleMessages(conversation))
  let answers: readonly string[] = []
  runs.forEach((run, index) => {
    const shown = run.messages.flatMap((message) => entriesOf(message, conversation, results))
    entries.push(...shown)
    answers = [...answers, ...shown.flatMap((entry) => (entry.kind === 'answer' ? [entry.id] : []))]
    const next = runs[index + 1]
    // A run that goes on from the answers to its calls (P-58) has its foot where that ends.
    if (run.id === conversation.runId || (next !== undefined && !isAsked(next))) return
    entries.push(endOf(run, answers, conversation, next === undefined))
    answers = []
  })
  if (conversation.runId !== undefined && !isStreaming(entries)) entries.push({ kind: 'working', id: 'working' })
  for (const send of conversation.sends) if (!isBehind(send)) entries.push(sendEntry(send))
  return entries
}

/** Sends that were made behind a run and are not in the server's queue yet. */
export function sendsBehind(conversation: Conversation): readonly PendingSend[] {
  return conversation.sends.filter(isBehind)
}

function isBehind(send: PendingSend): boolean {
  return send.behind && send.delivery.state !== 'failed' && send.delivery.state !== 'sent'
}

/** An edit shows at once: what it replaces is out of sight while it is on its way. */
function visibleMessages({ messages, sends }: Conversation): readonly Message[] {
  const edit = sends.find((send) => send.replaces !== undefined && send.delivery.state !== 'failed')
  if (edit === undefined) return messages
  const at = messages.findIndex((message) => message.id === edit.replaces)
  return at === -1 ? messages : messages.slice(0, at)
}

type Run = { readonly id: string; readonly messages: Message[] }

function splitByRun(messages: readonly Message[]): readonly Run[] {
  const runs: Run[] = []
  for (const message of messages) {
    const last = runs.at(-1)
    if (last?.id === message.metadata.runId) last.messages.push(message)
    else runs.push({ id: message.metadata.runId, messages: [message] })
  }
  return runs
}

/** What whole messages without calls are shown as. It is asked for in every frame, and is the same as long as the message is. */
const ENTRIES_OF_WHOLE = new WeakMap<Message, readonly Entry[]>()

function entriesOf(
  message: Message,
  conversation: Conversation,
  results: ReadonlyMap<string, ToolMessage>,
): readonly Entry[] {
  const streaming = conversation.open.has(message.id)
  const isWhole = !streaming && !('toolCalls' in message)
  const known = isWhole ? ENTRIES_OF_WHOLE.get(message) : undefined
  if (known !== undefined) return known
  const entries = makeEntries(message, streaming, conversation, results)
  if (isWhole) ENTRIES_OF_WHOLE.set(message, entries)
  return entries
}

function makeEntries(
  message: Message,
  streaming: boolean,
  conversation: Conversation,
  results: ReadonlyMap<string, ToolMessage>,
): readonly Entry[] {
  const { id } = message
  const { runId, createdAt } = message.metadata
  switch (message.role) {
    case 'user':
      return [{ kind: 'user', id, text: whole(message), runId, createdAt }]
    case 'reasoning':
      return [{ kind: 'reasoning', id, runId, text: whole(message), streaming }]
    case 'assistant': {
      const calls = (message.toolCalls ?? []).map((call) => toolEntry(call, runId, conversation, results.get(call.id)))
      const text = whole(message)
      return text === '' && !streaming ? calls : [{ kind: 'answer', id, runId, text, streaming }, ...calls]
    }
    case 'tool':
      return []
    default:
      return message satisfies never
  }
}

/** A text that was cut for the wire (P-33) says so. */
function whole({ content = '', metadata }: Message): string {
  return metadata.truncated === true && content !== '' ? `${content} …` : content
}

function toolEntry(
  call: ToolCall,
  runId: string,
  conversation: Conversation,
  result: ToolMessage | undefined,
): ToolEntry {
  return {
    kind: 'tool',
    id: `tool:${call.id}`,
    callId: call.id,
    runId,
    name: call.function.name,
    arguments: call.function.arguments,
    ...(result === undefined ? {} : { result: result.content }),
    ...(result?.error === undefined ? {} : { error: result.error }),
    truncated: result?.metadata.truncated === true,
    state: toolState(call, runId, conversation, result),
  }
}

function toolState(
  call: ToolCall,
  runId: string,
  conversation: Conversation,
  result: ToolMessage | undefined,
): ToolState {
  if (result !== undefined) return result.error === undefined ? 'done' : 'failed'
  if (conversation.open.has(call.id)) return 'writing'
  const pending = conversation.pending.find(({ toolCallId }) => toolCallId === call.id)
  if (pending !== undefined) return pending.kind === 'approval' ? 'asks' : 'elsewhere'
  // What was approved is made by the run that goes on.
  return conversation.runId !== undefined && isNewest(runId, conversation) ? 'running' : 'unfinished'
}

/** No other run has said anything since. */
function isNewest(runId: string, { messages, runId: active }: Conversation): boolean {
  return runId === active || messages.at(-1)?.metadata.runId === runId
}

/** It answers a message, and not what an earlier run left open. */
function isAsked(run: Run): boolean {
  return run.messages[0]?.role === 'user'
}

function endOf(run: Run, answers: readonly string[], conversation: Conversation, isLast: boolean): EndEntry {
  const at = run.messages.at(-1)?.metadata.createdAt
  const interrupted = run.messages.some((message) => message.metadata.interrupted === true)
  return {
    kind: 'end',
    id: `end:${run.id}`,
    runId: run.id,
    end: endIn(conversation.ends, run.id) ?? { outcome: interrupted ? 'unfinished' : 'success' },
    isLast,
    waits: conversation.pending.some(({ runId }) => runId === run.id),
    ...(at === undefined ? {} : { at }),
    answers,
  }
}

function isStreaming(entries: readonly Entry[]): boolean {
  const last = entries.at(-1)
  if (last?.kind === 'answer') return last.streaming && last.text !== ''
  if (last?.kind === 'reasoning') return last.streaming
  return last?.kind === 'tool' && (last.state === 'writing' || last.state === 'running')
}

function sendEntry({ id, text, delivery }: PendingSend): UserEntry {
  return { kind: 'user', id, text, delivery }
}
