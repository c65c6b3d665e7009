import type { Thinking, ToolSpec } from './provider.ts'

/**
 * A tool that an App offers: one of the server's, by its name, or one that the page executes (`client`). `ask`: a person
 * approves each call first.
 */
export type AppTool =
  | { readonly kind: 'server'; readonly name: string; readonly ask: boolean }
  | { readonly kind: 'client'; readonly spec: ToolSpec }

/** An isolated assistant, as its definition says with defaults filled in. */
export type App = {
  readonly id: string
  /** Shown to people. */
  readonly name: string
  /** The system prompt. */
  readonly preamble: string
  readonly model: {
    /** `provider/model`. */
    readonly default: string
    /** What `session.update` may choose; holds the default. */
    readonly allowed: readonly string[]
    /** Models that answer in the chosen one's place, in order, while its provider cannot. */
    readonly fallbacks?: readonly string[]
    readonly maxOutputTokens: number
    /** Tokens of history, preamble and tools given to the model. */
    readonly contextTokens: number
    /** Absent: the model's own default. */
    readonly thinking?: Thinking
  }
  readonly tools: readonly AppTool[]
  /** Milliseconds after the last connection leaves at which an active run is stopped; absent: it goes on to its end. */
  readonly stopAfterDisconnectMs?: number
}

export interface Apps {
  /** The current definition; a change shows within a second. The `default` App exists unless it is configured off. */
  get(id: string): Promise<App | undefined>
}
