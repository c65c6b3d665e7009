import type { Usage } from '../protocol/events.ts'
import type { SessionStatus } from '../protocol/frames.ts'
import type { Wallet } from '../protocol/messages.ts'
import type { WalletKind } from '../protocol/wallet-calls.ts'

/** Who owns a session. Two owners are the same when all three fields are. */
export type Owner = { readonly app: string; readonly account?: string; readonly user?: string }

/** Whose word a title is: `start` (first words of the first message), then `model`, never over `person`. */
export type TitleSource = 'start' | 'model' | 'person'

/** `proven`: whoever bound it showed that they hold its key. */
export type BoundWallet = Wallet & { readonly proven?: true }

/** One row of sessions, whole. Times are milliseconds since 1970. */
export type SessionRow = Owner & {
  readonly id: string
  readonly status: SessionStatus
  readonly title?: string
  readonly titleBy?: TitleSource
  readonly wallet?: BoundWallet
  /** `provider/model`, when a person chose another than the App's default. */
  readonly model?: string
  /** Put out of sight in lists; absent: no. */
  readonly archived?: boolean
  /** Whose secrets its runs use, as the vault names them; empty: nobody's, once somebody said so. */
  readonly vault?: string
  readonly createdAt: number
  readonly updatedAt: number
}

/** `queued` and `running` (at most one of a session) are open; the others have ended. `removed` left the queue before it started. */
export type RunStatus = 'queued' | 'running' | 'finished' | 'cancelled' | 'failed' | 'interrupted' | 'removed'

/** A tool call that a run left open when it ended: for the browser to execute, or for a person to approve. */
export type PendingCall = {
  readonly toolCallId: string
  readonly toolName: string
  readonly kind: 'client' | 'approval'
  /** A person said yes: the run that goes on executes it. */
  readonly approved?: true
  /** What a wallet is asked for, each thing with a number that no other of the session has. */
  readonly wallet?: { readonly kind: WalletKind; readonly ids: readonly number[] }
  /** Which connection executes it, until when. */
  readonly claim?: { readonly by: string; readonly until: number }
}

export type RunRow = {
  readonly id: string
  readonly sessionId: string
  readonly status: RunStatus
  readonly parentRunId?: string
  /** The run that this one takes the place of, with all after it (retry, edit). */
  readonly replaces?: string
  /** Order in the session, from 1; given when the run starts. */
  readonly position?: number
  readonly model?: string
  readonly usage?: readonly Usage[]
  /** A row of the error table, when `failed`. */
  readonly errorCode?: string
  /** Calls of a `finished` run that have no result yet. Only the newest ended run has some. */
  readonly pending?: readonly PendingCall[]
  readonly queuedAt: number
  readonly startedAt?: number
  readonly endedAt?: number
  /** The process that runs it, and how often it changed hands: a write with a lower fence is refused. */
  readonly node?: string
  readonly fence: number
  /** Which key asked for it; absent: nobody showed one. */
  readonly keyId?: string
}

/** `superseded`: a retry or an edit took its place, or that of one before it; it is not in history. */
export type StoredRun = RunRow & { readonly superseded?: true }

export type StoredToolCall = { readonly id: string; readonly name: string; readonly arguments: string }

/** What a provider needs to see again verbatim (signed thinking, tool use), and no other is given: in place of text and calls, or `beside` them. */
export type ProviderBlocks = { readonly provider: string; readonly content: readonly unknown[]; readonly beside?: true }

/** One row of messages. A user message's id is its clientMessageId; ids are unique per session. */
export type MessageRow = {
  readonly id: string
  readonly sessionId: string
  readonly runId: string
  /** Order in its run, from 0. */
  readonly index: number
  readonly role: 'user' | 'assistant' | 'tool' | 'reasoning'
  readonly content: string
  readonly toolCalls?: readonly StoredToolCall[]
  readonly toolCallId?: string
  /** The tool failed; the content says how. */
  readonly isError?: boolean
  readonly blocks?: ProviderBlocks
  readonly interrupted?: boolean
  readonly createdAt: number
}

/** More of a stored message's content: `text` follows its first `from` characters. Given again, or late, it takes nothing away. */
export type MessageTail = { readonly id: string; readonly runId: string; readonly from: number; readonly text: string }

/** What one change of one session must make durable, atomically: rows of runs and messages are upserted whole by id. */
export type SessionWrite = {
  readonly sessionId: string
  /**
   * Absent when it did not change (a checkpoint); present in a session's first write. Of a session that exists the title with whose it
   * is, wallet, model, archived and vault stay where they are absent: another process may have set them. `wallet: null` unbinds.
   */
  readonly session?: Omit<SessionRow, 'wallet'> & { readonly wallet?: BoundWallet | null | undefined }
  /** `session` is stored, made at its `createdAt`: `conflict` where it was deleted since, or made anew. Without it the write makes one. */
  readonly known?: true
  /** What says `superseded` leaves history, for good; beside `supersedeFromRun` only. */
  readonly runs?: readonly StoredRun[]
  readonly messages?: readonly MessageRow[]
  /** Of messages that are stored: what a checkpoint adds to a growing answer. */
  readonly tails?: readonly MessageTail[]
  /** A retry or an edit: this run and every later one leave history; of those in `runs` what says so. */
  readonly supersedeFromRun?: string
}

export type CommitOptions = {
  /**
   * Milliseconds this write may wait for a store that is away before it is refused with `store_unavailable`; the write may
   * then have been stored all the same. `'never'` keeps it queued, outside the bound, until it is stored: what was promised or shown.
   */
  readonly giveUpAfterMs: number | 'never'
  /** Milliseconds for which it may wait for others to go with, where nobody waits for it. */
  readonly patienceMs?: number
}

/** A queued send with its text, or the run that is (or was, when its process died) on. */
export type OpenRun = {
  readonly run: RunRow
  readonly userMessage?: MessageRow
  /** False when the run is `running` and its process is gone. */
  readonly nodeAlive: boolean
}

export type LoadedSession = {
  readonly session: SessionRow
  /** Ordered as they will run. */
  readonly openRuns: readonly OpenRun[]
  /** The newest ended run that is in history. */
  readonly lastRun?: RunRow
  readonly lastPosition: number
}

export type HistoryQuery = {
  /** A message's id: only what came before it. */
  readonly before?: string
  readonly maxMessages: number
  /** Bytes of content; at least one message is given. */
  readonly maxBytes: number
}

/** Oldest first, by (run position, index); superseded and queued runs' messages are not in it. */
export type HistoryPage = { readonly messages: readonly MessageRow[]; readonly hasMore: boolean }

/** Where a list of sessions goes on: `updatedAt` of the last one in milliseconds since 1970, and its id. */
export type SessionPlace = { readonly updatedAt: number; readonly id: string }
/** Of an owner's sessions: a time leaves out all of that moment; `wallet`: bound to this address, `proven`: by a proof. */
export type SessionChoice = {
  readonly before?: SessionPlace | number | undefined
  readonly wallet?: string | undefined
  readonly proven?: boolean
}
export type SessionSummary = {
  readonly id: string
  readonly title?: string
  readonly status: SessionStatus
  readonly archived?: boolean
  readonly updatedAt: number
}

/** Conversations that last. Every method rejects with ParleyError `store_unavailable` when the store is away. */
export interface SessionStore {
  /** This process's name among those that share the store. */
  readonly node: string
  /** Other processes that open sessions of this store, as far as is known: about half a second old. */
  readonly others: number
  /** Unknown ids are absent from the map. Calls of one loop turn become one query. */
  load(sessionId: string): Promise<LoadedSession | undefined>
  /** `before` an unknown message: an empty page. */
  history(sessionId: string, query: HistoryQuery): Promise<HistoryPage>
  /** The stored user message of this id with its run, whatever the run's status; for dedupe beyond memory. */
  findSend(sessionId: string, clientMessageId: string): Promise<OpenRun | undefined>
  /** The stored run of this id, whatever became of it. */
  findRun(sessionId: string, runId: string): Promise<StoredRun | undefined>
  /** A run of this id is stored, or a message that has the id of one of its own: ids that clients choose must not be used twice. */
  isRunTaken(sessionId: string, runId: string): Promise<boolean>
  /**
   * Resolves once durable. Writes of all sessions share statements; those of one session keep their order. Rejects with
   * `conflict` when the row was refused by a unique index or its fence, or what it belongs to is gone, `store_unavailable` as CommitOptions says,
   * `invalid_value` when Postgres refuses the data itself, `overloaded` when another process runs in the session. The fault of one session never fails another's write.
   * Where other processes are present they hear of it as a `session` change, unless it is a checkpoint (messages only).
   */
  commit(write: SessionWrite, options: CommitOptions): Promise<void>
  /** What is stored of each run, by session id, in its order; those without any are absent. One query for all. */
  runMessages(runs: readonly RunRef[]): Promise<ReadonlyMap<string, readonly MessageRow[]>>
  /** Resolves once the processes that have these runs on will hear this of them, by their change feeds. */
  tellElsewhere(word: RunWord, runs: readonly (RunRef & { readonly node: string })[]): Promise<void>
  /** Newest first, of one moment the greater id. */
  list(owner: Owner, limit: number, which?: SessionChoice): Promise<readonly SessionSummary[]>
  /** Removes the session and all that hangs on it; false when there was none, or it is not as in `only`. No write that is still under way brings it back. */
  delete(sessionId: string, only?: Pick<SessionRow, 'createdAt' | 'updatedAt'>): Promise<boolean>
  /** Resolves when the store answers, and takes what waits to be saved. */
  ping(): Promise<void>
}

export type AppRow = {
  readonly id: string
  readonly definition: unknown
  readonly updatedAt: number
  /** Whose it is; where a put leaves it out, the App's stays, and a new one is of `default`. */
  readonly account?: string
}

export type FoundApp = AppRow & {
  /** There is something that `search_documents` could find. When that changes, the App is told as changed. */
  readonly hasDocuments?: true
}

export interface AppStore {
  getApp(id: string): Promise<FoundApp | undefined>
  listApps(): Promise<readonly AppRow[]>
  putApp(row: AppRow): Promise<void>
  /** False when there is no such App. Its documents go with it, its keys lose it, those that are good for nothing then are revoked; its sessions stay. */
  deleteApp(id: string): Promise<boolean>
}

/** A run of a session, and what the process that has it on is told of it: a person stopped it, or watches it elsewhere. */
export type RunRef = { readonly sessionId: string; readonly runId: string }
export type RunWord = 'cancel' | 'watched'

/** What another process (or the command line) changed. `everything`: notices may have been lost; re-read what is cached. */
export type Change =
  | ({ readonly kind: RunWord } & RunRef)
  | { readonly kind: 'key'; readonly id: string }
  | { readonly kind: 'app'; readonly id: string }
  /** Its plan. */
  | { readonly kind: 'account'; readonly id: string }
  /** `removed`: it was deleted; a new one of its id may be there already. */
  | { readonly kind: 'session'; readonly id: string; readonly removed?: true }
  | { readonly kind: 'everything' }

/** Changes made through any process, this one included (but of its own commits to sessions), within a second even when a pooler breaks LISTEN. */
export interface ChangeFeed {
  subscribe(listener: (change: Change) => void): () => void
}
