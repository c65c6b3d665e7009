import { type ErrorDetails, ParleyError } from '../protocol/errors.ts'
import type { Usage } from '../protocol/events.ts'
import type { ProviderBlocks, StoredToolCall } from './store.ts'
import type { Revealable } from './vault.ts'

export type ToolSpec = {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments, an object. */
  readonly parameters: Readonly<Record<string, unknown>>
}

/** How the request for a conversation's title begins: by it the scripted model knows one. */
export const TITLE_PROMPT = 'Title this conversation:'

/** History as a model gets it: no empty text, every tool call followed by its results. */
export type ModelMessage =
  | { readonly role: 'user'; readonly content: string }
  | {
      readonly role: 'assistant'
      readonly content: string
      readonly toolCalls: readonly StoredToolCall[]
      /** Used by the provider that made them, ignored by others. */
      readonly blocks?: ProviderBlocks
    }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly content: string; readonly isError: boolean }

/**
 * Reasoning before the answer: `adaptive` lets the model decide when and how much; a budget (tokens, out of
 * `maxOutputTokens`) is for models that want one. Which of the two a model takes is its provider's rule.
 */
export type Thinking = { readonly type: 'adaptive' } | { readonly type: 'budget'; readonly budgetTokens: number }

export type ModelRequest = {
  /** The provider's own name of the model. */
  readonly model: string
  readonly system: string
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly ToolSpec[]
  readonly maxOutputTokens: number
  /** Absent: the model's own default. Ignored by providers whose models do not reason. */
  readonly thinking?: Thinking
  /** A person's own key, in the place of the operator's. */
  readonly apiKey?: string
  /** Another provider is in line: an overloaded API is told of at once instead of waited for. */
  readonly standby?: boolean
}

/**
 * Why the model stopped: `end` (also at a stop sequence), `tools` (results are wanted), `length` (output limit), `pause`
 * (ask again with what it said so far), `refusal`, `context` (the input did not fit the model's window).
 */
export type StopReason = 'end' | 'tools' | 'length' | 'pause' | 'refusal' | 'context'

/**
 * What a model's stream says. Items are opened by their first event and never interleave with themselves; several tool calls
 * may be open at once; their ids are unique in the session. `stop` is last and comes exactly once; a stream that ends without it was cut.
 */
export type ModelEvent =
  | { readonly type: 'text'; readonly delta: string }
  | { readonly type: 'reasoning'; readonly delta: string }
  | { readonly type: 'reasoning.end' }
  | { readonly type: 'tool.start'; readonly id: string; readonly name: string }
  | { readonly type: 'tool.args'; readonly id: string; readonly delta: string }
  | { readonly type: 'tool.end'; readonly id: string }
  /** Totals so far of this request; the last one counts. May come before the end, so that a stopped answer is counted. */
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'stop'; readonly reason: StopReason; readonly blocks?: ProviderBlocks }

/**
 * The API is overloaded, fails or cannot be reached: nothing is wrong with the request, and another provider may answer it.
 */
export class ProviderUnavailable extends ParleyError {
  constructor(code: 'provider_error' | 'provider_overloaded', details: ErrorDetails = {}) {
    super(code, details)
  }
}

/** A family of models behind one API. */
export interface Provider {
  readonly name: string
  /** Whether a request may bring a person's own key, or must, because the operator has none. Absent: there are no keys. */
  readonly ownKey?: 'may' | 'must'
  /**
   * One request. What one read of the upstream brings comes together, in order, never an empty list. Leaving the loop or aborting the signal ends the upstream request at once. Retries happen inside, before
   * the first event only. Throws ParleyError `provider_error`, `provider_overloaded`, `provider_misconfigured`,
   * `context_too_long`, `model_refusal`, as `ProviderUnavailable` where another provider may do; after an abort it may throw anything.
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<readonly ModelEvent[]>
}

/** Keys of a person, by provider. */
export type OwnKeys = ReadonlyMap<string, Revealable>

/** A provider, the model's own name, and the key that the person brings for it. */
export type ResolvedModel = { readonly provider: Provider; readonly model: string; readonly apiKey?: string }

/** The configured providers. */
export interface Providers {
  /** `provider/model` -> what answers it; undefined when no such provider is configured, or it needs a key that `own` has not. */
  resolve(model: string, own?: OwnKeys): ResolvedModel | undefined
  /** Names of those that take a person's own key; absent: none. */
  readonly takingKeys?: readonly string[]
}
