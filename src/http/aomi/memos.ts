import { LRUCache } from 'lru-cache'
import type { UserState } from './user-state.ts'

/** Bytes of all memos together: some ten thousand clients with a state of a kilobyte. */
const MAX_BYTES = 32 * 1024 * 1024
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
/** Events that a client may ask for again. */
const MAX_EVENTS = 50

/** Tagged by its one field, as the clients read it. */
export type SystemEvent = Readonly<Record<string, unknown>>

type Memo = {
  readonly state?: UserState
  /** The state as the client wrote it, where it did. */
  readonly said?: string
  /** Another one with every change of the state. */
  readonly stateVersion: number
  /** The client that asked last, of those that say who they are. */
  readonly client?: string
  /** By client: what it was told once, and when. */
  readonly told: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly events: readonly SystemEvent[]
  readonly bytes: number
}

const EMPTY: Memo = { stateVersion: 0, told: new Map(), events: [], bytes: 0 }

/**
 * What clients said of themselves and what they were told, by session. None of it is the session's: it is lost with the
 * process, and the client says it again.
 */
export class Memos {
  #versions = 0
  readonly #memos = new LRUCache<string, Memo>({
    maxSize: MAX_BYTES,
    ttl: IDLE_MS,
    updateAgeOnGet: true,
    sizeCalculation: ({ bytes }) => OVERHEAD + bytes,
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

  /** `said`: the text that it was read from. */
  keepState(sessionId: string, state: UserState | undefined, said = ''): void {
    if (state !== undefined) this.#put(sessionId, { state, said, stateVersion: ++this.#versions })
  }

  clientOf(sessionId: string): string | undefined {
    return this.#memos.get(sessionId)?.client
  }

  keepClient(sessionId: string, client: string): void {
    if (client !== '' && this.clientOf(sessionId) !== client) this.#put(sessionId, { client })
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
    return this.#memos.get(sessionId)?.events ?? []
  }

  keepEvent(sessionId: string, event: SystemEvent): void {
    this.#put(sessionId, { events: [...this.eventsOf(sessionId), event].slice(-MAX_EVENTS) })
  }

  forget(sessionId: string): void {
    this.#memos.delete(sessionId)
  }

  clear(): void {
    this.#memos.clear()
  }

  #put(sessionId: string, change: Partial<Memo>): void {
    const memo = { ...(this.#memos.get(sessionId) ?? EMPTY), ...change }
    const { state, said, told, events } = memo
    const things = [...told].map(([client, own]) => [client, [...own]])
    const bytes = JSON.stringify([state ?? null, said ?? '', things, events]).length
    this.#memos.set(sessionId, { ...memo, bytes })
  }
}
