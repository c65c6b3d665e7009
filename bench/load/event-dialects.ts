import type { Frame, Wire } from './line.ts'

/** A protocol over server-sent events. */
export type EventDialect = {
  /** The body of the request, as the protocol's own client makes it. */
  readonly ask: (id: string, content: string) => unknown
  /** Undefined: of no concern here. */
  readonly read: (event: string, data: string) => Frame | undefined
  /** The end of the response is the end of the answer; else an event says so, and a response that ends before it is cut. */
  readonly endsWithBody: boolean
}

const DONE = '[DONE]'

function token(delta: string): Frame {
  return { chunk: { type: 'TEXT_MESSAGE_CONTENT', delta } }
}

function failed(message: string): Frame {
  return { chunk: { type: 'RUN_ERROR', message } }
}

type UiMessagePart = { readonly type: string; readonly delta?: string; readonly errorText?: string }
type Piece = { readonly content: string | readonly { readonly text?: string }[] }

export const EVENT_DIALECTS = {
  /** `RunAgentInput`, and events that the load reads as they are. */
  'ag-ui': {
    ask: (id, content) => ({
      threadId: id,
      runId: id,
      state: {},
      messages: [{ id, role: 'user', content }],
      tools: [],
      context: [],
      forwardedProps: {},
    }),
    read: (_, data) => (data === DONE ? undefined : { chunk: JSON.parse(data) }),
    endsWithBody: false,
  },
  /** The body of `DefaultChatTransport`, and the UI message stream. */
  'ai-sdk': {
    ask: (id, content) => ({
      id,
      trigger: 'submit-message',
      messages: [{ id, role: 'user', parts: [{ type: 'text', text: content }] }],
    }),
    read: (_, data) => {
      if (data === DONE) return undefined
      const { type, delta, errorText }: UiMessagePart = JSON.parse(data)
      if (type === 'text-delta') return token(delta ?? '')
      if (type === 'finish') return { chunk: { type: 'RUN_FINISHED' } }
      return type === 'error' ? failed(errorText ?? data) : undefined
    },
    endsWithBody: false,
  },
  /** A run without a thread, cancelled when its client goes; `messages` events hold pieces of the model's message. */
  langgraph: {
    ask: (_, content) => ({
      assistant_id: 'chat',
      input: { messages: [{ role: 'user', content }] },
      stream_mode: ['messages-tuple'],
      on_disconnect: 'cancel',
    }),
    read: (event, data) => {
      if (event === 'error') return failed(data)
      if (event !== 'messages') return undefined
      const [{ content }]: readonly [Piece] = JSON.parse(data)
      return token(typeof content === 'string' ? content : content.map(({ text = '' }) => text).join(''))
    },
    endsWithBody: true,
  },
} satisfies Partial<Record<Wire, EventDialect>>
