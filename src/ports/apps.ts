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

/** What of a session a server of tools is told with each call, beside the model's arguments. */
export type McpContext = 'user' | 'wallet'

/** A server that speaks MCP and whose tools the App offers. Plain data: two that are equal are one connection. */
export type McpServer = {
  /** Stands before the names of its tools; no two servers of an App have one name. */
  readonly name: string
  /** An address that the App names, or a program that the operator's configuration has under this name. */
  readonly at:
    | { readonly kind: 'http'; readonly url: string; readonly headers: HttpTool['headers'] }
    | { readonly kind: 'program'; readonly program: string }
  /** The server's own names of those that are offered; absent: all of them. */
  readonly tools?: readonly string[]
  /** A person approves each call first: of every tool, or of those that are named. */
  readonly ask: boolean | readonly string[]
  /** Milliseconds for one call. */
  readonly timeoutMs: number
  /** Of one answer. */
  readonly maxBytes: number
  readonly context: readonly McpContext[]
}

/** What somebody may do without a key in a session of the App, who knows its random id: nothing, read, or all but delete. */
export type Keyless = 'off' | 'read' | 'full'

/** In the place of the server's own figures. Those of connections and runs hold in each process. */
export type AppLimits = {
  readonly connections?: number | undefined
  readonly connectionsPerSession?: number | undefined
  readonly runsAtOnce?: number | undefined
  readonly queuedSends?: number | undefined
  /** Input and output of its models, a day of UTC. */
  readonly tokensPerDay?: number | undefined
}

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
  /** Servers of further tools, which only they know. */
  readonly mcp?: readonly McpServer[]
  readonly limits?: AppLimits
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
  /** What `get` would give, where that is in memory; undefined says nothing. */
  peek(id: string): App | undefined
}
