import { LRUCache } from 'lru-cache'
import type { UserState } from './user-state.ts'

/** Bytes of all memos together: some ten thousand clients with a state of a kilobyte. */
const MAX_BYTES = 32 * 1024 * 1024
/** Bytes of those that one address put to last: what it fills, it fills with its own. */
const MAX_BYTES_OF_ONE = MAX_BYTES / 4
/** Bytes of a memo beside its texts. */
const OVERHEAD = 300
/** Milliseconds after its last use: a client says its state with every request. */
const IDLE_MS = 60 * 60 * 1000
/** Clients of one session that are told apart. */
const MAX_CLIENTS = 50
/** Things told once that are remembered of one client: the requests of an answer, and some before them. */
const MAX_TOLD = 120
/** Milliseconds in which a poll may be under way that a client sent before it was told. */
const UNDER_WAY_MS = 5000
/** Bytes of the name of a run or call that was told, with its time. */
const TOLD_BYTES = 100
/** Events that a client may ask for again, and their bytes: some of what a wallet gives back, or many notices. */
const MAX_EVENTS = 50
const MAX_EVENT_BYTES = 256 * 1024

/** Tagged by its one field, as the clients read it. */
export type SystemEvent = Readonly<Record<string, unknown>>

type KeptEvent = { readonly event: SystemEvent; readonly bytes: number }

type Memo = {
  readonly state?: UserState
  /** The state as the client wrote it, where it did. */
  readonly said?: string
  readonly stateBytes: number
  /** Another one with every change of the state. */
  readonly stateVersion: number
  /** The client that asked last, of those that say who they are. */
  readonly client?: string
  /** By client: what it was told once, and when. */
  readonly told: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly events: readonly KeptEvent[]
  /** The address in whose share it is; empty: it was only read. */
  readonly from: string
  readonly bytes: number
}

const EMPTY: Memo = { stateBytes: 0, stateVersion: 0, told: new Map(), events: [], from: '', bytes: 0 }

/** The memos of one address, the one that was put to longest ago first. */
type Share = { bytes: number; readonly sessions: Set<string> }

/**
 * What clients said of themselves and what they were told, by session. None of it is the session's: it is lost with the
 * process, and the client says it again.
 */
export class Memos {
  #versions = 0
  readonly #shares = new Map<string, Share>()
  readonly #memos = new LRUCache<string, Memo>({
    maxSize: MAX_BYTES,
    ttl: IDLE_MS,
    updateAgeOnGet: true,
    sizeCalculation: ({ bytes }) => bytes,
    dispose: (memo, sessionId) => this.#leaveShare(sessionId, memo),
  })

  /** Is this what the client said of itself the last time? */
  hasSaid(sessionId: string, text: string): boolean {
    return this.#memos.peek(sessionId)?.said === text
  }

  /** Names the state; 0 where there is none. */
  stateVersionOf(sessionId: string): number {
    return this.#memos.get(sessionId)?.stateVersion ?? 0
  }

  stateOf(sessionId: string): UserState | undefined {
    return this.#memos.get(sessionId)?.state
  }

  /** `from`: the address of who may write in the session. `said`: the text that it was read from. */
  keepState(sessionId: string, from: string, state: UserState | undefined, said = ''): void {
    if (state === undefined) return
    const stateBytes = JSON.stringify(state).length + said.length
    this.#put(sessionId, { state, said, stateBytes, stateVersion: ++this.#versions, from })
  }

  clientOf(sessionId: string): string | undefined {
    return this.#memos.get(sessionId)?.client
  }

  keepClient(sessionId: string, from: string, client: string): void {
    if (client !== '' && this.clientOf(sessionId) !== client) this.#put(sessionId, { client, from })
  }

  /**
   * True once for each client and thing. `lost`: the client, which keeps such things, shows that it does not have this one: its
   * page was loaded anew. It is told again then, unless it may have said so before it was told.
   */
  isNews(sessionId: string, client: string, what: string, lost = false): boolean {
    const { told } = this.#memos.get(sessionId) ?? EMPTY
    const [own, now] = [told.get(client) ?? new Map<string, number>(), Date.now()]
    const at = own.get(what)
    if (at !== undefined && !(lost && now - at > UNDER_WAY_MS)) return false
    const things = [...own].filter(([name]) => name !== what).slice(1 - MAX_TOLD)
    const others = [...told].filter(([name]) => name !== client).slice(1 - MAX_CLIENTS)
    this.#put(sessionId, { told: new Map([...others, [client, new Map([...things, [what, now]])]]) })
    return true
  }

  eventsOf(sessionId: string): readonly SystemEvent[] {
    return (this.#memos.get(sessionId)?.events ?? []).map(({ event }) => event)
  }

  keepEvent(sessionId: string, from: string, event: SystemEvent): void {
    const before = this.#memos.get(sessionId)?.events ?? []
    const events = [...before, { event, bytes: JSON.stringify(event).length }].slice(-MAX_EVENTS)
    while (events.length > 1 && bytesOf(events) > MAX_EVENT_BYTES) events.shift()
    this.#put(sessionId, { events, from })
  }

  forget(sessionId: string): void {
    this.#memos.delete(sessionId)
  }

  clear(): void {
    this.#memos.clear()
  }

  /** Without `from` it stays in the share where it is: who only reads it takes it from nobody. */
  #put(sessionId: string, change: Partial<Memo>): void {
    const memo = { ...(this.#memos.get(sessionId) ?? EMPTY), ...change }
    const { from, stateBytes, client = '', told, events } = memo
    const bytes = OVERHEAD + stateBytes + client.length + bytesOf(events) + toldBytes(told)
    this.#memos.set(sessionId, { ...memo, bytes })
    const share = this.#shares.get(from) ?? { bytes: 0, sessions: new Set() }
    this.#shares.set(from, share)
    share.sessions.add(sessionId)
    share.bytes += bytes
    for (const oldest of share.sessions) {
      if (share.bytes <= MAX_BYTES_OF_ONE || oldest === sessionId) return
      this.#memos.delete(oldest)
    }
  }

  #leaveShare(sessionId: string, { from, bytes }: Memo): void {
    const share = this.#shares.get(from)
    if (share?.sessions.delete(sessionId) !== true) return
    share.bytes -= bytes
    if (share.sessions.size === 0) this.#shares.delete(from)
  }
}

function bytesOf(events: readonly KeptEvent[]): number {
  return events.reduce((sum, { bytes }) => sum + bytes, 0)
}

function toldBytes(told: Memo['told']): number {
  return [...told].reduce((sum, [client, own]) => sum + client.length + OVERHEAD + own.size * TOLD_BYTES, 0)
}
