import type { WalletKind } from '../protocol/wallet-calls.ts'
import type { Thinking, ToolSpec } from './provider.ts'

/**
 * A tool that an App offers: one of the server's, by its name, or one that the page executes (`client`). `ask`: a person
 * approves each call first. `wallet`: the page asks the person's wallet.
 */
export type AppTool =
  | { readonly kind: 'server'; readonly name: string; readonly ask: boolean }
  | { readonly kind: 'client'; readonly spec: ToolSpec; readonly wallet?: WalletKind }

/** A part of an address that is taken as it is, or an argument of the call, which is encoded. */
export type UrlPiece = string | { readonly argument: string }
/** A part of a header's value, or the name of a secret that the operator holds, or the person who asks. */
export type HeaderPiece = string | { readonly secret: string } | { readonly own: string }

/** A tool that is a request to a service, as the App defines it. */
export type HttpTool = {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments, an object. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** What is wrong with a call's arguments by that schema; undefined: nothing. */
  readonly fault: (args: unknown) => string | undefined
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Scheme, host and port are within its first piece. Arguments that it does not take are query (GET, DELETE) or JSON body. */
  readonly url: readonly UrlPiece[]
  readonly headers: readonly { readonly name: string; readonly value: readonly HeaderPiece[] }[]
  /** Where in the JSON answer the result is, member by member; absent: the answer as it is. */
  readonly pointer?: readonly string[]
  /** Milliseconds for all of it. */
  readonly timeoutMs: number
  /** Of an answer's body. */
  readonly maxBytes: number
  /** A person approves each call first. */
  readonly ask: boolean
}

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
    /** Models that answer in the chosen one's place, in order, while its provider cannot. */
    readonly fallbacks?: readonly string[]
    readonly maxOutputTokens: number
    /** Tokens of history, preamble and tools given to the model. */
    readonly contextTokens: number
    /** Absent: the model's own default. */
    readonly thinking?: Thinking
  }
  /** Those that every server has, and those of its pages. */
  readonly tools: readonly AppTool[]
  /** Its own. No two tools of an App have one name. */
  readonly httpTools?: readonly HttpTool[]
  /** Milliseconds after the last connection leaves at which an active run is stopped; absent: it goes on to its end. */
  readonly stopAfterDisconnectMs?: number
  /** For clients of Aomi, which send their key with a chat only. Absent: `off`. */
  readonly aomi?: {
    readonly keyless: Keyless
    /** The tool that simulates transactions. */
    readonly simulate?: string
    /** A wallet is bound by a signature only. */
    readonly walletProof?: true
  }
}

export interface Apps {
  /** The current definition; a change shows within a second. The `default` App exists unless it is configured off. */
  get(id: string): Promise<App | undefined>
}
