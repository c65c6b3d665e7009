import type { Conversation, RunFeed, Sender, SendOptions } from '../../ports/conversations.ts'
import { ParleyError, toParleyError } from '../../protocol/errors.ts'
import type { Event } from '../../protocol/events.ts'
import type { Aomi } from './parts.ts'
import { eventText, pulledEvents } from './sse.ts'

/** Sends the message and streams what its run says, in the older documentation's events, at one of its address's connections. */
export async function streamRun(
  aomi: Aomi,
  conversation: Conversation,
  sender: Sender,
  content: string,
  options: SendOptions,
): Promise<Response> {
  const { access } = aomi
  access.admitConnection(sender.from)
  const leave = once(() => access.leaveConnection(sender.from))
  try {
    const { feed } = await conversation.send(sender, content, { ...options, listen: true })
    if (feed === undefined) throw new TypeError('a feed was asked for')
    return streamOf(aomi, sender, feed, leave)
  } catch (thrown) {
    leave()
    throw thrown
  }
}

/** `leavePlace`: may be called again. */
function streamOf(
  { access, streams, telemetry }: Aomi,
  sender: Sender,
  feed: RunFeed,
  leavePlace: () => void,
): Response {
  const events = new RunEvents()
  let revoked = false
  const hearNoMore = streams.answering(sender.principal.keyId, () => {
    revoked = true
    feed.close()
  })
  const leave = (): void => {
    hearNoMore()
    leavePlace()
  }
  const end = (): void => {
    leave()
    feed.close()
  }
  const fail = (thrown: unknown): string => {
    const { code, message } = toParleyError(thrown)
    telemetry.count('errors_total', 1, code)
    end()
    return events.fail(message)
  }
  try {
    // It may be gone since the message was on its way into the store.
    access.require(sender.principal, 'write')
  } catch (thrown) {
    end()
    throw thrown
  }
  const next = async (): Promise<string | undefined> => {
    try {
      const text = await events.next(feed)
      if (text !== undefined) return text
      leave()
      if (!revoked) return events.close()
      revoked = false
      return fail(new ParleyError('unauthorized'))
    } catch (thrown) {
      return fail(thrown)
    }
  }
  return pulledEvents(next, end)
}

function once(act: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    act()
  }
}

type Call = { readonly name: string; text: string }

/** Turns a run's events into those of the stream; a tool call is told when its arguments are whole. */
class RunEvents {
  readonly #calls = new Map<string, Call>()
  #ended = false

  /** The text of what came; undefined: the stream is over. */
  async next(feed: RunFeed): Promise<string | undefined> {
    while (!this.#ended) {
      const events = await feed.next()
      if (events === undefined) return undefined
      const text = events.map((event) => this.#told(event)).join('')
      if (text !== '') return text
    }
    return undefined
  }

  fail(message: string): string {
    this.#ended = true
    return eventText({ type: 'error', message })
  }

  /** The end of a stream that was told of none: its message left the queue before its run began. */
  close(): string | undefined {
    if (this.#ended) return undefined
    this.#ended = true
    return eventText({ type: 'complete' })
  }

  #told(event: Event): string {
    switch (event.type) {
      case 'TEXT_MESSAGE_CONTENT':
        return eventText({ type: 'text', content: event.delta })
      case 'TOOL_CALL_START':
        this.#calls.set(event.toolCallId, { name: event.toolCallName, text: '' })
        return ''
      case 'TOOL_CALL_ARGS': {
        const call = this.#calls.get(event.toolCallId)
        if (call !== undefined) call.text += event.delta
        return ''
      }
      case 'TOOL_CALL_END':
        return this.#call(event.toolCallId)
      case 'TOOL_CALL_RESULT': {
        const { toolCallId: call_id, content: result } = event
        const call = this.#calls.get(call_id)
        // A call of the answer before, which this message declined: it was not told here.
        return call === undefined ? '' : eventText({ type: 'tool_result', call_id, name: call.name, result })
      }
      case 'RUN_FINISHED':
        return this.close() ?? ''
      case 'RUN_ERROR':
        return this.fail(event.message)
      default:
        return ''
    }
  }

  #call(call_id: string): string {
    const { name = '', text = '' } = this.#calls.get(call_id) ?? {}
    return eventText({ type: 'tool_call', name, call_id, args: toArguments(text) })
  }
}

/** A model may have been cut in the middle of them. */
function toArguments(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch {
    return text
  }
}
