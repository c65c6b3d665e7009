import type { Usage as ApiUsage, MessageDeltaUsage } from '@anthropic-ai/sdk/resources/messages'
import type { Usage } from '../protocol/events.ts'
import { ANTHROPIC } from './anthropic-messages.ts'
import { readTokens } from './upstream-tokens.ts'

/** The counts of one answer. */
export class AnthropicCounts {
  readonly #model: string
  #input = 0
  #cacheRead = 0
  #cacheWrite = 0
  #output = 0

  constructor(model: string) {
    this.#model = model
  }

  /**
   * Totals so far. What the API says is cumulative, and null or absent where nothing new is said; what is no count, as some gateways
   * send, says nothing either.
   */
  take(usage: Partial<ApiUsage | MessageDeltaUsage> | null | undefined): Usage {
    this.#input = readTokens(usage?.input_tokens) ?? this.#input
    this.#cacheRead = readTokens(usage?.cache_read_input_tokens) ?? this.#cacheRead
    this.#cacheWrite = readTokens(usage?.cache_creation_input_tokens) ?? this.#cacheWrite
    this.#output = readTokens(usage?.output_tokens) ?? this.#output
    return this.#usage()
  }

  /** The API's input count leaves out what the cache served and took; ours are totals. */
  #usage(): Usage {
    const inputTokens = this.#input + this.#cacheRead + this.#cacheWrite
    return {
      provider: ANTHROPIC,
      model: this.#model,
      inputTokens,
      outputTokens: this.#output,
      totalTokens: inputTokens + this.#output,
      ...(this.#cacheRead > 0 && { cachedInputTokens: this.#cacheRead }),
      ...(this.#cacheWrite > 0 && { cacheWriteInputTokens: this.#cacheWrite }),
    }
  }
}
