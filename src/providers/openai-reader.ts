import type { ModelEvent, ModelRequest } from '../ports/provider.ts'
import { type Chunk, OpenAiEvents } from './openai-events.ts'
import type { EventReader, ToError } from './upstream-stream.ts'

const LAST = '[DONE]'

/** A chunk, or an error in one of its two forms: `{"error": {…}}`, and the bare `{"object": "error", …}` of older vLLM. */
type WireEvent = Chunk & { readonly error?: unknown; readonly object?: unknown }

/**
 * Reads the events of Chat Completions. An answer is whole when its finish reason has come: the counts come behind it, and
 * not every server sends `[DONE]`.
 */
export class OpenAiReader implements EventReader {
  readonly #events: OpenAiEvents

  constructor(request: ModelRequest, push: (event: ModelEvent) => void) {
    this.#events = new OpenAiEvents(request, push)
  }

  take(data: string, toError: ToError): boolean {
    if (data === LAST) {
      this.#events.finish()
      return true
    }
    const event: WireEvent = JSON.parse(data)
    if (event.object === 'error') throw toError(event)
    const { error } = event
    if (error) throw toError(typeof error === 'object' ? error : { message: error })
    this.#events.chunk(event)
    return false
  }

  ended(): boolean {
    if (this.#events.stopped) this.#events.finish()
    return this.#events.stopped
  }
}
