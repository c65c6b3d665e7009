import type { ParleyError } from '../protocol/errors.ts'
import type { Event } from '../protocol/events.ts'
import type { LastRun, SessionStatus } from '../protocol/frames.ts'
import type { Wallet } from '../protocol/messages.ts'
import type { Admission, Principal } from './access.ts'
import type { BoundWallet, MessageRow, Owner, PendingCall, SessionRow } from './store.ts'

/** Who sends, and from where. */
export type Sender = { readonly principal: Principal; readonly from: Admission }

/** A session as it is at one moment. */
export type Snapshot = {
  /** Another one whenever anything of this changed; never used again. */
  readonly version: string
  readonly record: SessionRow
  readonly status: SessionStatus
  /** The run that is on, here or in another process. */
  readonly runId?: string
  readonly lastRun?: LastRun
  /** The newest part of the conversation, oldest first, with what the running answer has said and then what waits; absent where it was not asked for. */
  readonly messages?: readonly MessageRow[]
  /** Calls that wait for the browser, of the newest run. */
  readonly open?: readonly OpenCall[]
  /** The message that still grows. */
  readonly growing?: string
}

/** A call that the browser makes and nobody has answered. */
export type OpenCall = Pick<PendingCall, 'toolCallId' | 'toolName' | 'wallet'> & {
  readonly runId: string
  /** JSON, as the model made it. */
  readonly arguments: string
}

/** What became of an open call, as the model reads it. */
export type CallAnswer = { readonly toolCallId: string; readonly content: string; readonly isError: boolean }

/** What a run says, from its first event to its terminal one. */
export interface RunFeed {
  /** What came since the last call, at least one event; undefined: it is over. Rejects when the rest cannot be had here. */
  next(): Promise<readonly Event[] | undefined>
  close(): void
}

/** What a person may change of a session. `wallet: null` unbinds. */
export type RecordChange = {
  readonly title?: string
  readonly wallet?: BoundWallet | null
  readonly model?: string
  readonly archived?: boolean
  /** Whose secrets its runs use; empty: nobody's. */
  readonly vault?: string
}

/** A session as a projection of it sees it: the same record, memory and rules as the WebSocket's. Held for one request. */
export interface Conversation {
  readonly id: string
  readonly owner: Owner
  /** What is durable of it. */
  readonly record: SessionRow
  /** False: nothing of it was ever saved. */
  readonly stored: boolean
  /** False: nobody ever sent anything. */
  readonly begun: boolean
  /** The runs that are on or wait, the active one first, once what was sent before this call is stored. */
  runs(): Promise<readonly string[]>
  /** The same, once what another process did a moment ago, and was not heard of here yet, is taken over. */
  newestRuns(): Promise<readonly string[]>
  /** `wants`: are the messages of this version asked for? */
  snapshot(wants: (version: string) => boolean): Promise<Snapshot>
  /**
   * A person's message: durable once this resolves, then run at once or queued (I2). Rejects as `message.send` is refused.
   */
  send(sender: Sender, content: string, options?: SendOptions): Promise<Sent>
  /**
   * Answers open calls as `tool.result` does: durable once this resolves, the first answer of a call counts, and the run goes on
   * when none is left. Rejects with `not_found` for calls that this session never made.
   */
  answer(sender: Sender, answers: readonly CallAnswer[]): Promise<void>
  /** Stops or unqueues these runs and no others. Resolves once that is decided. */
  cancel(runIds: readonly string[]): Promise<void>
  /** Durable without anything in it. */
  make(): Promise<void>
  /** Rejects with `invalid_value` for a model that the App does not allow. */
  update(change: RecordChange): Promise<void>
  /** Resolves when nothing is on or waits, or after `withinMs`. */
  idle(withinMs: number): Promise<void>
}

export type SendOptions = {
  /** With the feed of its run. */
  readonly listen?: boolean
  /** Called once the message is durable; a run that starts at once begins after it, and fails as it does. */
  readonly before?: () => Promise<void>
}

export type Sent = { readonly runId: string; readonly state: 'started' | 'queued'; readonly feed?: RunFeed }

/** Something of a session that its followers are told beside its messages. */
export type Told =
  | { readonly kind: 'title'; readonly title: string }
  /** A tool was called (no result yet) or has answered. */
  | { readonly kind: 'tool'; readonly callId: string; readonly name: string; readonly result?: ToolAnswer }

export type ToolAsk = {
  readonly name: string
  readonly args: object
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}
export type ToolAnswer = { readonly text: string; readonly isError: boolean }

export interface Follower {
  /** The session exists: may it be followed? Nothing is told before; a rejection ends the following. */
  admit(conversation: Conversation): Promise<void>
  told(what: Told): void
  /** Nothing comes any more. */
  ended(error: ParleyError): void
}

/** Sessions as projections of them need them. */
export interface Conversations {
  /** The session of this id, whoever owns it; undefined: nobody made one. */
  find(sessionId: string): Promise<Conversation | undefined>
  /** The same, where it is in memory. */
  held(sessionId: string): Conversation | undefined
  /**
   * Found or made, once for all who ask at the same time; one that is made has `wallet` from its first write on. Rejects with
   * `session_not_found` when it is another owner's.
   */
  open(sessionId: string, owner: Owner, wallet?: Wallet): Promise<Conversation>
  /**
   * Calls a tool of an App without a run. Undefined: the App has none of this name that the server may call by itself. Rejects
   * as a send is refused.
   */
  callTool(sender: Sender, app: string, ask: ToolAsk): Promise<ToolAnswer | undefined>
  /** Follows the session from now on, or from when it comes to be. Gives the way to stop. */
  follow(sessionId: string, follower: Follower): () => void
}
