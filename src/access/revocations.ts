import { LRUCache } from 'lru-cache'
import type { KeyRow, KeyStore, KeyUse } from '../ports/keys.ts'
import type { Change, ChangeFeed } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import type { Verdict } from './principals.ts'
import type { Verdicts } from './verdicts.ts'

/** Milliseconds. A key that expires closes its connections within a second (I9); one timer for all keys. */
const SWEEP_MS = 1000
/** Milliseconds between two writes of when keys were last used: a hint for people, not a record. */
const TOUCH_MS = 60_000
/** Entries: keys with an expiry that were used here. About 100 bytes each. */
const MAX_EXPIRING = 50_000

/** Follows what happens to keys elsewhere and ends what was let in with them. */
export class Revocations {
  readonly #keys: KeyStore
  readonly #verdicts: Verdicts
  readonly #telemetry: Telemetry
  readonly #listeners = new Set<(keyIds: ReadonlySet<string>) => void>()
  readonly #expiring = new LRUCache<string, number>({ max: MAX_EXPIRING })
  /** By id, with the tag of a key that had none. */
  readonly #used = new Map<string, KeyUse>()
  /** Keys that could not be read again because the store was away; `all` when any may have changed. */
  readonly #unread = new Set<string>()
  #unreadAll = false
  #touchedAt = Date.now()
  readonly #unsubscribe: () => void
  readonly #timer: NodeJS.Timeout

  constructor(keys: KeyStore, changes: ChangeFeed, verdicts: Verdicts, telemetry: Telemetry) {
    this.#keys = keys
    this.#verdicts = verdicts
    this.#telemetry = telemetry
    this.#unsubscribe = changes.subscribe((change) => this.#onChange(change))
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  onGone(listener: (keyIds: ReadonlySet<string>) => void): void {
    this.#listeners.add(listener)
  }

  used({ keyId, expiresAt, newTag }: Verdict): void {
    if (newTag !== undefined) this.#used.set(keyId, { id: keyId, tag: newTag })
    else if (!this.#used.has(keyId)) this.#used.set(keyId, { id: keyId })
    if (expiresAt !== Number.POSITIVE_INFINITY) this.#expiring.set(keyId, expiresAt)
  }

  /** Writes down what is still to be written and lets go. */
  async close(): Promise<void> {
    this.#unsubscribe()
    clearInterval(this.#timer)
    await this.#touch()
  }

  #onChange(change: Change): void {
    if (change.kind !== 'key' && change.kind !== 'app' && change.kind !== 'everything') return
    this.#verdicts.changed()
    if (change.kind === 'everything') this.#unreadAll = true
    else if (change.kind === 'key') this.#unread.add(change.id)
    else for (const id of this.#verdicts.idsWith(change.id)) this.#unread.add(id)
    void this.#readAgain()
  }

  /** What cannot be read stays noted and is tried again with the next sweep. */
  async #readAgain(): Promise<void> {
    const now = Date.now()
    try {
      if (this.#unreadAll) await this.#readAll(now)
      for (const id of this.#unread) {
        this.#unread.delete(id)
        this.#reconcile([id], new Map([[id, await this.#read(id)]]), now)
      }
    } catch (cause) {
      this.#telemetry.log('warn', 'keys not re-read', {}, cause)
    }
  }

  async #read(id: string): Promise<KeyRow | undefined> {
    try {
      return await this.#keys.findKey(id)
    } catch (cause) {
      this.#unread.add(id)
      throw cause
    }
  }

  async #readAll(now: number): Promise<void> {
    this.#unreadAll = false
    const rows = await this.#keys.listKeys().catch((cause: unknown) => {
      this.#unreadAll = true
      throw cause
    })
    const byId = new Map(rows.map((row) => [row.id, row]))
    this.#reconcile(byId.keys(), byId, now)
    // Removed, or made and used after the list was read.
    for (const id of this.#verdicts.ids()) if (!byId.has(id)) this.#unread.add(id)
  }

  /** Those that are not live, or open less than before, are told together. */
  #reconcile(ids: Iterable<string>, rows: ReadonlyMap<string, KeyRow | undefined>, now: number): void {
    const gone = new Set<string>()
    for (const id of ids) {
      const row = rows.get(id)
      if (this.#verdicts.reconcile(id, row, now)) gone.add(id)
      // A key that is rotated gets an expiry while its connections are open.
      else if (row?.expiresAt !== undefined) this.#expiring.set(id, row.expiresAt)
    }
    if (gone.size > 0) this.#tellGone(gone)
  }

  #tellGone(ids: ReadonlySet<string>): void {
    for (const id of ids) {
      this.#expiring.delete(id)
      this.#used.delete(id)
    }
    for (const listener of this.#listeners) listener(ids)
  }

  #sweep(): void {
    const now = Date.now()
    const expired = [...this.#expiring].filter(([, expiresAt]) => now >= expiresAt).map(([id]) => id)
    this.#reconcile(expired, new Map(), now)
    if (this.#unreadAll || this.#unread.size > 0) void this.#readAgain()
    if (now - this.#touchedAt >= TOUCH_MS) void this.#touch()
  }

  async #touch(): Promise<void> {
    this.#touchedAt = Date.now()
    const uses = [...this.#used.values()]
    this.#used.clear()
    if (uses.length === 0) return
    try {
      await this.#keys.touchKeys(uses, this.#touchedAt)
    } catch (cause) {
      this.#telemetry.log('debug', 'use of keys not noted', { keys: uses.length }, cause)
    }
  }
}
