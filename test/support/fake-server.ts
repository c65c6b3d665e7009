import type { Environment, Socket, SocketHandlers } from '../../clients/core/environment.ts'
import type { CommandInput } from '../../src/protocol/commands.ts'
import { canJoin, type DeltaEvent, deltaItem, type Event, isDelta } from '../../src/protocol/events.ts'
import type {
  ControlFrame,
  Envelope,
  Pending,
  QueueItem,
  SessionReady,
  SessionStatus,
} from '../../src/protocol/frames.ts'
import type { Cursor } from '../../src/protocol/ids.ts'
import type { Message } from '../../src/protocol/messages.ts'

export type ServerFrame = ControlFrame | Envelope

/** The time of everything that this server says. */
export const AT = '2026-01-01T00:00:00.000Z'

type Entry = { readonly first: number; readonly last: number; readonly event: Event }

/**
 * One session as the protocol's other side keeps it: a numbered log and a model of the messages, made independently of the
 * client's reducer. Speaks frames; has no sockets.
 */
export class FakeSession {
  epoch = 'e1'
  title: string | undefined
  queue: QueueItem[] = []
  pending: readonly Pending[] = []
  lastRun: SessionReady['lastRun']
  status: SessionStatus = 'idle'
  runId: string | undefined
  messages: Message[] = []
  #seq = 0
  #log: Entry[] = []
  readonly #open = new Map<string, Event>()

  get seq(): number {
    return this.#seq
  }

  /** Numbers the event, applies it to the model and gives its frame. */
  emit(event: Event): Envelope {
    this.#seq++
    this.#log.push({ first: this.#seq, last: this.#seq, event })
    this.#apply(event)
    return { id: `${this.epoch}-${this.#seq}`, chunk: event }
  }

  /** Joins neighbouring deltas in the log, as a full log does. */
  compact(): void {
    const joined: Entry[] = []
    for (const entry of this.#log) {
      const last = joined.at(-1)
      if (last !== undefined && canJoin(last.event, entry.event)) joined.splice(-1, 1, join(last, entry))
      else joined.push(entry)
    }
    this.#log = joined
  }

  /** Forgets the log, as a long one does with its start. */
  trim(): void {
    this.#log = []
  }

  /** Another life of the log, as after a crash: what was running is over. */
  restart(): void {
    this.epoch = `${this.epoch}x`
    this.#log = []
    this.#open.clear()
    if (this.runId !== undefined) this.lastRun = { runId: this.runId, outcome: 'interrupted' }
    this.status = this.runId === undefined ? this.status : 'interrupted'
    this.runId = undefined
  }

  /** What a connection with this cursor is told first. */
  welcome(cursor?: Cursor): ServerFrame[] {
    const tail = cursor === undefined ? undefined : this.#after(cursor)
    if (tail !== undefined && cursor !== undefined)
      return [
        this.ready('tail', cursor.seq),
        ...tail.map(({ last, event }) => ({ id: `${this.epoch}-${last}`, chunk: event })),
      ]
    return [
      this.ready('snapshot', this.#seq),
      { type: 'session.snapshot', messages: structuredClone(this.messages), hasMore: false },
      ...this.#opening().map((chunk) => ({ chunk })),
    ]
  }

  ready(resumed: SessionReady['resumed'], seq: number): SessionReady {
    return {
      type: 'session.ready',
      protocolVersion: 'parley.v1',
      sessionId: 'a2b5a30e-5c5a-4d39-9d83-3a1c54d0c8f1',
      app: 'default',
      epoch: this.epoch,
      seq,
      status: this.status,
      ...(this.runId === undefined ? {} : { runId: this.runId }),
      ...(this.lastRun === undefined ? {} : { lastRun: this.lastRun }),
      resumed,
      ...(this.title === undefined ? {} : { title: this.title }),
      model: 'scripted/demo',
      models: ['scripted/demo', 'scripted/other'],
      queue: [...this.queue],
      pending: [...this.pending],
      heartbeatMs: 25_000,
      limits: { frameBytes: 65_536, messageBytes: 32_768, queuedSends: 10, pageMessages: 100 },
    }
  }

  /** Undefined when the cursor is of another life, before the log's start, or inside an entry. */
  #after({ epoch, seq }: Cursor): readonly Entry[] | undefined {
    if (epoch !== this.epoch || seq > this.#seq) return undefined
    if (seq === this.#seq) return []
    const at = this.#log.findIndex((entry) => entry.first === seq + 1)
    return at === -1 ? undefined : this.#log.slice(at)
  }

  #opening(): Event[] {
    if (this.runId === undefined) return []
    return [{ type: 'RUN_STARTED', threadId: 't', runId: this.runId }, ...this.#open.values()]
  }

  #apply(event: Event): void {
    if (isDelta(event)) return this.#grow(event)
    if (event.type.endsWith('_START') && event.type !== 'REASONING_START') this.#begin(event)
    if (event.type === 'TOOL_CALL_RESULT')
      this.messages.push({
        id: event.messageId,
        role: 'tool',
        toolCallId: event.toolCallId,
        content: event.content,
        metadata: this.#metadata(),
      })
    if (event.type === 'TEXT_MESSAGE_END' || event.type === 'REASONING_MESSAGE_END') this.#open.delete(event.messageId)
    if (event.type === 'TOOL_CALL_END') this.#open.delete(event.toolCallId)
    this.#applyRun(event)
  }

  #applyRun(event: Event): void {
    if (event.type === 'RUN_STARTED') {
      this.status = 'processing'
      this.runId = event.runId
      for (const message of event.input?.messages ?? []) {
        const at = this.messages.findIndex((each) => each.id === message.id)
        if (at === -1) this.messages.push(message)
        else this.messages[at] = message
      }
    }
    if (event.type === 'CUSTOM') {
      const at = this.messages.findIndex((each) => each.id === event.value.from)
      this.messages = this.messages.filter((each, index) => index < at || each.metadata.runId === this.runId)
    }
    if (event.type !== 'RUN_FINISHED' && event.type !== 'RUN_ERROR') return
    const outcome = event.type === 'RUN_ERROR' ? 'error' : event.outcome.type === 'cancelled' ? 'cancelled' : 'success'
    this.status = outcome === 'cancelled' ? 'interrupted' : 'idle'
    this.lastRun = { runId: this.runId ?? '', outcome, ...(event.type === 'RUN_ERROR' ? { code: event.code } : {}) }
    this.runId = undefined
    this.#open.clear()
  }

  #begin(event: Event): void {
    if (event.type === 'TEXT_MESSAGE_START') {
      this.#open.set(event.messageId, event)
      this.messages.push({ id: event.messageId, role: 'assistant', metadata: this.#metadata() })
    } else if (event.type === 'REASONING_MESSAGE_START') {
      this.#open.set(event.messageId, event)
      this.messages.push({ id: event.messageId, role: 'reasoning', content: '', metadata: this.#metadata() })
    } else if (event.type === 'TOOL_CALL_START') {
      this.#open.set(event.toolCallId, event)
      const parentId = event.parentMessageId ?? event.toolCallId
      if (!this.messages.some((each) => each.id === parentId))
        this.messages.push({ id: parentId, role: 'assistant', metadata: this.#metadata() })
      const parent = this.messages.find((each) => each.id === parentId)
      if (parent?.role !== 'assistant') throw new Error(`${parentId} is no assistant message`)
      const call = {
        id: event.toolCallId,
        type: 'function' as const,
        function: { name: event.toolCallName, arguments: '' },
      }
      parent.toolCalls = [...(parent.toolCalls ?? []), call]
    }
  }

  #grow(event: DeltaEvent): void {
    const item = deltaItem(event)
    for (const message of this.messages) {
      if (event.type !== 'TOOL_CALL_ARGS' && message.id === item)
        message.content = (message.content ?? '') + event.delta
      if (event.type !== 'TOOL_CALL_ARGS' || message.role !== 'assistant') continue
      for (const call of message.toolCalls ?? []) if (call.id === item) call.function.arguments += event.delta
    }
  }

  #metadata(): Message['metadata'] {
    return { runId: this.runId ?? '', createdAt: AT }
  }
}

function join(left: Entry, right: Entry): Entry {
  if (!isDelta(left.event) || !isDelta(right.event)) throw new Error('only deltas join')
  return { first: left.first, last: right.last, event: { ...left.event, delta: left.event.delta + right.event.delta } }
}

export function userMessage(id: string, runId: string, content: string): Message {
  return { id, role: 'user', content, metadata: { runId, createdAt: AT } }
}

/** The start of a run that answers `content`. */
export function runStarted(runId: string, messageId: string, content: string): Event {
  const messages = [userMessage(messageId, runId, content)]
  return {
    type: 'RUN_STARTED',
    threadId: 't',
    runId,
    input: { threadId: 't', runId, messages, tools: [], context: [] },
  }
}

/** One end of a socket that the test holds. */
export class FakeSocket implements Socket {
  readonly sent: CommandInput[] = []
  closed = false
  readonly url: string
  readonly protocols: readonly string[]
  readonly #handlers: SocketHandlers

  constructor(url: string, protocols: readonly string[], handlers: SocketHandlers) {
    this.url = url
    this.protocols = protocols
    this.#handlers = handlers
  }

  get cursor(): string | null {
    return new URL(this.url).searchParams.get('cursor')
  }

  send(text: string): void {
    if (!this.closed) this.sent.push(JSON.parse(text))
  }

  close(): void {
    this.closed = true
  }

  /** The server says these frames. */
  receive(...frames: readonly ServerFrame[]): void {
    for (const frame of frames) this.#handlers.onMessage(JSON.stringify(frame))
  }

  receiveText(text: string): void {
    this.#handlers.onMessage(text)
  }

  /** The socket is closed from the other side, or by the network. */
  cut(code: number): void {
    this.closed = true
    this.#handlers.onClose(code)
  }

  /** The commands of a type, oldest first. */
  commands<T extends CommandInput['type']>(type: T): Extract<CommandInput, { type: T }>[] {
    return this.sent.filter((command): command is Extract<CommandInput, { type: T }> => command.type === type)
  }
}

/** An environment on the (fake) timers of the test, with sockets that the test holds. */
export class FakeEnvironment implements Environment {
  readonly sockets: FakeSocket[] = []
  /** What every jitter is drawn from; 1 is the longest wait. */
  jitter = 1
  isOnline = true
  #ids = 0
  readonly #timers: ReturnType<typeof setTimeout>[] = []
  readonly #networkListeners = new Set<() => void>()
  readonly #returnListeners = new Set<() => void>()

  now(): number {
    return Date.now()
  }
  setTimeout(run: () => void, ms: number): number {
    this.#timers.push(setTimeout(run, ms))
    return this.#timers.length - 1
  }
  clearTimeout(timer: unknown): void {
    if (typeof timer === 'number') clearTimeout(this.#timers[timer])
  }
  random(): number {
    return this.jitter
  }
  randomId(): string {
    return `m${++this.#ids}`
  }
  online(): boolean {
    return this.isOnline
  }
  onNetworkChange(listener: () => void): () => void {
    this.#networkListeners.add(listener)
    return () => this.#networkListeners.delete(listener)
  }
  onReturn(listener: () => void): () => void {
    this.#returnListeners.add(listener)
    return () => this.#returnListeners.delete(listener)
  }
  openSocket(url: string, protocols: readonly string[], handlers: SocketHandlers): Socket {
    const socket = new FakeSocket(url, protocols, handlers)
    this.sockets.push(socket)
    return socket
  }

  comeBack(): void {
    for (const listener of this.#returnListeners) listener()
  }

  setOnline(online: boolean): void {
    this.isOnline = online
    for (const listener of this.#networkListeners) listener()
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('no socket was opened')
    return socket
  }
}
