import * as v from 'valibot'
import type { TextStorage } from './storage.ts'

/** One conversation in the list. `updatedAt`: milliseconds since 1970. */
export type ShelvedSession = { readonly id: string; readonly title?: string; readonly updatedAt: number }

/** Conversations kept in the list; older ones are still at the server, but a list of hundreds helps nobody. */
const MAX_SESSIONS = 200
const ShelfSchema = v.array(v.object({ id: v.string(), title: v.optional(v.string()), updatedAt: v.number() }))

/**
 * The conversations that this browser took part in, newest first. A visitor without an account has no list at the server:
 * whoever knows a conversation's id may read it, so the ids are kept here and nowhere else.
 */
export class SessionShelf {
  readonly #storage: TextStorage
  readonly #name: string

  constructor(storage: TextStorage, app: string) {
    this.#storage = storage
    this.#name = `parley.sessions.${app}`
  }

  /** The storage entry that holds the list, as another tab's `storage` event names it. */
  get name(): string {
    return this.#name
  }

  list(): readonly ShelvedSession[] {
    const text = this.#storage.get(this.#name)
    if (text === undefined) return []
    try {
      return v.parse(ShelfSchema, JSON.parse(text))
    } catch {
      // Written by another version, or by hand: a new list begins.
      return []
    }
  }

  /** Adds or changes one; a title that is not given stays. */
  put(session: { readonly id: string; readonly title?: string | undefined; readonly updatedAt?: number }): void {
    const sessions = this.list()
    const known = sessions.find((each) => each.id === session.id)
    const title = session.title ?? known?.title
    const updatedAt = session.updatedAt ?? known?.updatedAt ?? Date.now()
    if (known !== undefined && known.title === title && known.updatedAt === updatedAt) return
    const changed = { id: session.id, ...(title === undefined ? {} : { title }), updatedAt }
    this.#write([changed, ...sessions.filter((each) => each.id !== session.id)])
  }

  remove(id: string): void {
    this.#write(this.list().filter((each) => each.id !== id))
  }

  /** Takes in what the server knows of. */
  merge(sessions: readonly ShelvedSession[]): void {
    for (const session of sessions) this.put(session)
  }

  #write(sessions: readonly ShelvedSession[]): void {
    const newestFirst = sessions.toSorted((left, right) => right.updatedAt - left.updatedAt)
    this.#storage.set(this.#name, JSON.stringify(newestFirst.slice(0, MAX_SESSIONS)))
  }
}
