import type { Wallet } from '../protocol/messages.ts'
import type { App } from './apps.ts'
import type { ToolSpec } from './provider.ts'
import type { Revealable } from './vault.ts'

/** What a tool may know of the call; never taken from the model's arguments. */
export type ToolContext = {
  readonly sessionId: string
  readonly app: string
  readonly runId: string
  readonly toolCallId: string
  readonly user?: string
  readonly wallet?: Wallet
  /** A secret that the person left for tools; undefined: none of this name. */
  readonly own?: (name: string) => Promise<Revealable | undefined>
  /** Aborts at the deadline and when the run is stopped. */
  readonly signal: AbortSignal
}

/** A failure whose message is meant for the model: bad arguments, nothing found, a service that said no. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}

export interface Tool {
  readonly spec: ToolSpec
  /** `args` is parsed JSON that nothing has checked yet. The text goes to the model and, shortened, to the person. */
  execute(args: unknown, context: ToolContext): Promise<string>
}

/** A tool that no definition names, but a server that it names. */
export type ListedTool = {
  readonly tool: Tool
  /** A person approves each call first. */
  readonly ask: boolean
}

export type Listing = Pick<App, 'id' | 'tools' | 'httpTools' | 'mcp'>

/** The tools of Apps. */
export interface Tools {
  /** Those that run here: what the App names, in its order, and its own; unknown names are left out. */
  resolve(app: Pick<App, 'tools' | 'httpTools'>): readonly Tool[]
  /**
   * Those that the App's MCP servers offer now, with names that no other tool of the App has. Never rejects: those of a server
   * that is not there are absent. Takes some seconds at most; an abort ends the wait.
   */
  listed(app: Listing, signal: AbortSignal): Promise<readonly ListedTool[]>
}
