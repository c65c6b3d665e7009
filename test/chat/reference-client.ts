import { type Conversation, EMPTY_CONVERSATION } from '../../clients/core/conversation.ts'
import { reduce } from '../../clients/core/reducer.ts'
import { formatCursor } from '../../src/protocol/ids.ts'
import type { Message } from '../../src/protocol/messages.ts'
import type { ChatRig } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'

const AT = '2026-01-01T00:00:00.000Z'

/** A client as the browser's is, without its link: it keeps a conversation over all its connections, each from its cursor. */
export class ReferenceClient {
  conversation: Conversation = EMPTY_CONVERSATION
  socket: FakeSocket | undefined
  readonly #id: string

  constructor(id: string) {
    this.#id = id
  }

  get connected(): boolean {
    return this.socket !== undefined && this.socket.closedWith === undefined
  }

  /** Handshake now, socket after `between`: what happens there happens while it is on its way. */
  async connect(rig: ChatRig, between: () => Promise<void> | void = () => {}): Promise<void> {
    const { cursor } = this.conversation
    const verdict = await rig.handshake(this.#id, cursor === undefined ? {} : { cursor: formatCursor(cursor) })
    await between()
    this.socket = rig.open(verdict, (socket) => {
      socket.onFrame = (frame) => {
        this.conversation = reduce(this.conversation, { kind: 'frame', frame, at: AT })
      }
    })
  }

  /** What its person sees of the conversation: every message with its joined text, in order. */
  get transcript(): readonly object[] {
    return this.conversation.messages.map(seen)
  }
}

function seen(message: Message): object {
  const calls = message.role === 'assistant' ? (message.toolCalls ?? []).map((call) => [call.id, call.function]) : []
  const result = message.role === 'tool' ? { toolCallId: message.toolCallId } : {}
  return { id: message.id, role: message.role, content: message.content ?? '', calls, ...result }
}
