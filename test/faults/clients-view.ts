import { type Conversation, EMPTY_CONVERSATION } from '../../clients/core/conversation.ts'
import { reduce } from '../../clients/core/reducer.ts'
import type { Event } from '../../src/protocol/events.ts'
import type {
  ControlFrame,
  Envelope,
  LastRun,
  QueueItem,
  SessionReady,
  SessionStatus,
} from '../../src/protocol/frames.ts'
import { type Cursor, parseCursor } from '../../src/protocol/ids.ts'
import type { Message } from '../../src/protocol/messages.ts'

export type Frame = ControlFrame | Envelope

/** One message as its reader sees it. */
export type Line = {
  readonly id: string
  readonly role: Message['role']
  readonly content: string
  /** Tool calls: id, name, arguments. */
  readonly calls: readonly string[]
  readonly answers?: string
}

/** How things stand in the session, as last told. */
export type Standing = {
  readonly status: SessionStatus
  readonly runId: string | undefined
  readonly lastRun: LastRun | undefined
  readonly queue: readonly QueueItem[]
}

/** What a client makes of the frames it gets, over all its connections. */
export interface View {
  see(frame: Frame): void
  /** What its next handshake says. */
  readonly cursor: Cursor | undefined
  readonly standing: Standing
  /** Oldest first. */
  readonly lines: readonly Line[]
}

const AT = '2026-01-01T00:00:00.000Z'

/** The browser client's own reducer. */
export class ReducerView implements View {
  #conversation: Conversation = EMPTY_CONVERSATION

  see(frame: Frame): void {
    this.#conversation = reduce(this.#conversation, { kind: 'frame', frame, at: AT })
  }

  get cursor(): Cursor | undefined {
    return this.#conversation.cursor
  }

  get standing(): Standing {
    return this.#conversation
  }

  get lines(): readonly Line[] {
    return this.#conversation.messages.map(lineOf)
  }
}

type Growing = { -readonly [K in keyof Line]: Line[K] } & { calls: string[]; runId: string }

/** The protocol's page read anew, without a line of the browser client: a list of messages that events write into. */
export class PlainView implements View {
  #messages: Growing[] = []
  #cursor: Cursor | undefined
  /** Where the snapshot that is coming stands, and whether a run is open in it. */
  #start: { readonly at: Cursor; readonly opens: boolean } | undefined
  /** The state that `session.ready` announced is there. */
  #begun = false
  #run = ''
  standing: Standing = { status: 'idle', runId: undefined, lastRun: undefined, queue: [] }

  get cursor(): Cursor | undefined {
    return this.#cursor
  }

  get lines(): readonly Line[] {
    return this.#messages.map(({ id, role, content, calls, answers }) => ({
      id,
      role,
      content,
      calls: [...calls],
      ...(answers === undefined ? {} : { answers }),
    }))
  }

  see(frame: Frame): void {
    if ('chunk' in frame) return this.#envelope(frame)
    if (frame.type === 'session.ready') this.#ready(frame)
    if (frame.type === 'session.status') {
      const { status, runId, lastRun, queue } = frame
      this.standing = { status, runId, lastRun, queue }
      // P-62: the run that it was opened with was another process's and is over.
      if (runId === undefined) this.#cursor ??= this.#start?.at
    }
    if (frame.type === 'session.snapshot') this.#snapshot(frame.messages.map(growing))
  }

  /** What `session.ready` announced takes the place of all; one that comes later of what it holds and what follows (P-28, P-62). */
  #snapshot(messages: readonly Growing[]): void {
    const at = this.#begun ? this.#messages.findIndex(({ id }) => id === messages[0]?.id) : 0
    this.#messages = [...this.#messages.slice(0, at < 0 ? this.#messages.length : at), ...messages]
    if (this.#begun) return
    this.#begun = true
    // P-25: the position is the client's once the opening is applied, which the first numbered event shows.
    this.#cursor = this.#start?.opens === true ? undefined : this.#start?.at
  }

  #ready({ epoch, seq, status, runId, lastRun, queue, resumed }: SessionReady): void {
    this.standing = { status, runId, lastRun, queue }
    const at = { epoch, seq }
    if (resumed === 'tail') this.#cursor = at
    this.#begun = resumed === 'tail'
    this.#start = { at, opens: runId !== undefined }
  }

  #envelope({ id, chunk }: Envelope): void {
    if (id !== undefined) this.#cursor = parseCursor(id)
    this.#event(chunk)
  }

  #event(event: Event): void {
    switch (event.type) {
      case 'RUN_STARTED':
        this.#run = event.runId
        for (const message of event.input?.messages ?? []) this.#put(growing(message))
        return
      case 'TEXT_MESSAGE_START':
        return this.#put(this.#blank(event.messageId, 'assistant'))
      case 'REASONING_MESSAGE_START':
        return this.#put(this.#blank(event.messageId, 'reasoning'))
      case 'TEXT_MESSAGE_CONTENT':
      case 'REASONING_MESSAGE_CONTENT':
        for (const message of this.#messages) if (message.id === event.messageId) message.content += event.delta
        return
      case 'TOOL_CALL_START':
        this.#put(this.#blank(event.parentMessageId ?? event.toolCallId, 'assistant'))
        return this.#call(event.parentMessageId ?? event.toolCallId, `${event.toolCallId} ${event.toolCallName} `)
      case 'TOOL_CALL_ARGS':
        for (const message of this.#messages)
          message.calls = message.calls.map((call) =>
            call.startsWith(`${event.toolCallId} `) ? call + event.delta : call,
          )
        return
      case 'TOOL_CALL_RESULT':
        return this.#put({
          ...this.#blank(event.messageId, 'tool'),
          content: event.content,
          answers: event.toolCallId,
        })
      case 'CUSTOM':
        return this.#rewind(event.value.from)
      default:
    }
  }

  /** One that is held already, from a snapshot, goes on from there. */
  #put(message: Growing): void {
    if (!this.#messages.some(({ id }) => id === message.id)) this.#messages.push(message)
  }

  #call(id: string, call: string): void {
    const message = this.#messages.find((each) => each.id === id)
    const [callId = ''] = call.split(' ')
    if (message?.calls.some((each) => each.startsWith(`${callId} `)) === false) message.calls.push(call)
  }

  #rewind(from: string): void {
    const at = this.#messages.findIndex(({ id }) => id === from)
    if (at === -1) return
    this.#messages = this.#messages.filter(({ runId }, index) => index < at || runId === this.#run)
  }

  #blank(id: string, role: Line['role']): Growing {
    return { id, role, content: '', calls: [], runId: this.#run }
  }
}

function lineOf(message: Message): Line {
  const calls =
    message.role === 'assistant'
      ? (message.toolCalls ?? []).map((call) => `${call.id} ${call.function.name} ${call.function.arguments}`)
      : []
  const answers = message.role === 'tool' ? { answers: message.toolCallId } : {}
  return { id: message.id, role: message.role, content: message.content ?? '', calls, ...answers }
}

function growing(message: Message): Growing {
  const { calls, ...line } = lineOf(message)
  return { ...line, calls: [...calls], runId: message.metadata.runId }
}
