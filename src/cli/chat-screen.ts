import type { Event } from '../protocol/events.ts'
import type { ControlFrame, Envelope } from '../protocol/frames.ts'
import type { Message } from '../protocol/messages.ts'

const [DIM, PLAIN] = ['\u001b[2m', '\u001b[0m']
/** Characters of a tool's arguments or result that are shown: a line or two. */
const MAX_TOOL_TEXT = 160
/** What a terminal would act on: control characters but line feed and tab, and the C1 set. */
// oxlint-disable-next-line no-control-regex -- these are what is taken out
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/**
 * Turns what the server says into lines of a terminal. What was printed cannot be taken back, so it remembers how much of
 * each message it has shown and prints only what is new: a snapshot after a lost connection continues where the text stopped.
 */
export class ChatScreen {
  readonly #styled: boolean
  readonly #shown = new Map<string, number>()
  readonly #tools = new Map<string, { name: string; args: string }>()
  /** The item whose text the cursor stands behind; undefined at the start of a line. */
  #open: string | undefined

  constructor(styled: boolean) {
    this.#styled = styled
  }

  /** The person's own message is not shown again; a terminal has echoed it, with the end of its line. */
  typed(messageId: string): void {
    this.#shown.set(messageId, Number.POSITIVE_INFINITY)
    if (this.#styled) this.#open = undefined
  }

  /** A line from this program itself. */
  note(text: string): string {
    return this.#close() + this.#dim(`· ${clean(text)}`) + this.#endLine()
  }

  /** What others print next begins a line of its own. */
  end(): string {
    return this.#close()
  }

  frame(frame: ControlFrame | Envelope): string {
    if ('chunk' in frame) return this.#event(frame.chunk)
    if (frame.type === 'session.snapshot') return frame.messages.map((message) => this.#message(message)).join('')
    if (frame.type === 'session.updated' && frame.title !== undefined) return this.note(`title: ${frame.title}`)
    return ''
  }

  #event(event: Event): string {
    switch (event.type) {
      case 'RUN_STARTED':
        return (event.input?.messages ?? []).map((message) => this.#message(message)).join('')
      case 'TEXT_MESSAGE_CONTENT':
        return this.#append(event.messageId, event.delta)
      case 'TOOL_CALL_START':
        this.#tools.set(event.toolCallId, { name: event.toolCallName, args: '' })
        return ''
      case 'TOOL_CALL_ARGS':
        return this.#addArgs(event.toolCallId, event.delta)
      case 'TOOL_CALL_END':
        return this.#showCall(event.toolCallId)
      case 'TOOL_CALL_RESULT':
        return this.#showOnce(event.messageId, `→ ${event.content}`)
      case 'RUN_ERROR':
        return this.note(`the run failed: ${event.message}`)
      case 'RUN_FINISHED':
        return this.#close()
      default:
        return ''
    }
  }

  #message(message: Message): string {
    if (message.role === 'user') return this.#showWhole(message.id, `> ${message.content}`)
    if (message.role === 'tool') return this.#showOnce(message.id, `→ ${message.content}`)
    if (message.role === 'reasoning') return ''
    const text = this.#rest(message.id, message.content ?? '')
    const calls = (message.toolCalls ?? []).map((call) => {
      this.#tools.set(call.id, { name: call.function.name, args: call.function.arguments })
      return this.#showCall(call.id)
    })
    return text + calls.join('')
  }

  #append(id: string, delta: string): string {
    const start = this.#open === id ? '' : this.#close()
    this.#open = id
    this.#shown.set(id, (this.#shown.get(id) ?? 0) + delta.length)
    return start + clean(delta)
  }

  /** What of `content` was not shown yet. */
  #rest(id: string, content: string): string {
    const rest = content.slice(this.#shown.get(id) ?? 0)
    return rest === '' ? '' : this.#append(id, rest)
  }

  #showWhole(id: string, line: string): string {
    if (this.#shown.has(id)) return ''
    this.#shown.set(id, Number.POSITIVE_INFINITY)
    return this.#close() + clean(line) + this.#endLine()
  }

  #showOnce(id: string, line: string): string {
    if (this.#shown.has(id)) return ''
    this.#shown.set(id, Number.POSITIVE_INFINITY)
    return this.#close() + this.#dim(`  ${shorten(line)}`) + this.#endLine()
  }

  #addArgs(id: string, delta: string): string {
    const call = this.#tools.get(id)
    if (call !== undefined) call.args += delta
    return ''
  }

  #showCall(id: string): string {
    const call = this.#tools.get(id)
    this.#tools.delete(id)
    return call === undefined ? '' : this.#showOnce(`call ${id}`, `${call.name} ${call.args}`)
  }

  /** Ends the line that text stands in, if any. */
  #close(): string {
    return this.#open === undefined ? '' : this.#endLine()
  }

  #endLine(): string {
    this.#open = undefined
    return '\n'
  }

  #dim(text: string): string {
    return this.#styled ? `${DIM}${text}${PLAIN}` : text
  }
}

function clean(text: string): string {
  return text.replace(CONTROL, '')
}

function shorten(text: string): string {
  const line = clean(text).replace(/\s+/g, ' ')
  return line.length > MAX_TOOL_TEXT ? `${line.slice(0, MAX_TOOL_TEXT)}…` : line
}
