import type { RawMessageStreamEvent } from '@anthropic-ai/sdk/resources/messages'
import type { ModelEvent, ModelRequest } from '../ports/provider.ts'
import { AnthropicEvents } from './anthropic-events.ts'
import type { EventReader, ToError } from './upstream-stream.ts'

type WireEvent = RawMessageStreamEvent | { readonly type: 'error' }

/** Reads the Messages API's events: only `message_stop` says that an answer is whole. */
export class AnthropicReader implements EventReader {
  readonly #events: AnthropicEvents

  constructor(request: ModelRequest, push: (event: ModelEvent) => void) {
    this.#events = new AnthropicEvents(request, push)
  }

  take(data: string, toError: ToError): boolean {
    const event: WireEvent = JSON.parse(data)
    switch (event.type) {
      case 'content_block_delta':
        this.#events.delta(event, data.length)
        return false
      case 'message_stop':
        this.#events.finish()
        return true
      case 'error':
        throw toError(event)
      default:
        this.#events.other(event, data.length)
        return false
    }
  }

  ended(): boolean {
    return false
  }
}
