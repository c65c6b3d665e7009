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
/** Events that a client may ask for again. */
const MAX_EVENTS = 50

/** Tagged by its one field, as the clients read it. */
export type SystemEvent = Readonly<Record<string, unknown>>

type Memo = {
  readonly state?: UserState
  /** By client: the failed run that it was told of. */
  readonly failures: ReadonlyMap<string, string>
  readonly events: readonly SystemEvent[]
  readonly bytes: number
}

const EMPTY: Memo = { failures: new Map(), events: [], bytes: 0 }

/**
 * What clients said of themselves and what they were told, by session. None of it is the session's: it is lost with the
 * process, and the client says it again.
 */
export class Memos {
  readonly #memos = new LRUCache<string, Memo>({
    maxSize: MAX_BYTES,
    ttl: IDLE_MS,
    updateAgeOnGet: true,
    sizeCalculation: ({ bytes }) => OVERHEAD + bytes,
  })

  stateOf(sessionId: string): UserState | undefined {
    return this.#memos.get(sessionId)?.state
  }

  keepState(sessionId: string, state: UserState | undefined): void {
    if (state !== undefined) this.#put(sessionId, { state })
  }

  /** True once for each client and run. */
  isNews(sessionId: string, client: string, runId: string): boolean {
    const { failures } = this.#memos.get(sessionId) ?? EMPTY
    if (failures.get(client) === runId) return false
    const others = [...failures].filter(([name]) => name !== client).slice(1 - MAX_CLIENTS)
    this.#put(sessionId, { failures: new Map([...others, [client, runId]]) })
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
    const { state, failures, events } = memo
    const bytes = JSON.stringify([state ?? null, [...failures], events]).length
    this.#memos.set(sessionId, { ...memo, bytes })
  }
}
