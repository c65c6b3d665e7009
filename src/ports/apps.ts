import type { Thinking } from './provider.ts'

/** What somebody may do without a key in a session of the App, who knows its random id: nothing, read, or all but delete. */
export type Keyless = 'off' | 'read' | 'full'

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
    readonly maxOutputTokens: number
    /** Tokens of history, preamble and tools given to the model. */
    readonly contextTokens: number
    /** Absent: the model's own default. */
    readonly thinking?: Thinking
  }
  /** Names of tools. */
  readonly tools: readonly string[]
  /** Milliseconds after the last connection leaves at which an active run is stopped; absent: it goes on to its end. */
  readonly stopAfterDisconnectMs?: number
  /** For clients of Aomi, which send their key with a chat only. Absent: `off`. */
  readonly aomi?: { readonly keyless: Keyless }
}

export interface Apps {
  /** The current definition; a change shows within a second. The `default` App exists unless it is configured off. */
  get(id: string): Promise<App | undefined>
}
