import { LRUCache } from 'lru-cache'
import { ownerOf } from '../../ports/sessions.ts'
import type { LoadedSession, Owner, SessionRow } from '../../ports/store.ts'
import { ParleyError, toParleyError } from '../../protocol/errors.ts'
import type { Wallet } from '../../protocol/messages.ts'
import type { Core } from '../core.ts'
import { startNext } from '../run/run-lifecycle.ts'
import { recover } from './recover.ts'
import { Session } from './session.ts'

/** Milliseconds between looks at running sessions: slow sockets leave their group, deadlines and checkpoints fall due. */
const RUN_SWEEP_MS = 50
/** Milliseconds between looks at what is idle. */
const IDLE_SWEEP_MS = 1000
/** How often a session is looked for that another process changes in the same moment. */
const TRIES = 5

/**
 * The three tiers: memory, store, new. Records in use are pinned; idle ones leave by count and time, the least recently used
 * first, and only when everything of them is saved (I8).
 */
export class Sessions {
  readonly #core: Core
  readonly #pinned = new Map<string, Session>()
  readonly #idle: LRUCache<string, Session>
  readonly #opening = new Map<string, Promise<Session>>()
  readonly #timers: NodeJS.Timeout[]

  constructor(core: Core) {
    this.#core = core
    const { recordCount, idleMs } = core.settings
    this.#idle = new LRUCache({
      max: recordCount,
      ttl: idleMs,
      perf: { now: core.now },
      dispose: (session, id, reason) => reason !== 'delete' && this.#forget(session, id),
    })
    this.#timers = [
      setInterval(() => this.#sweepRuns(), RUN_SWEEP_MS),
      setInterval(() => this.#sweepIdle(), IDLE_SWEEP_MS),
    ]
  }

  get count(): number {
    return this.#pinned.size + this.#idle.size
  }

  /** Every session that is in use. */
  pinned(): readonly Session[] {
    return [...this.#pinned.values()]
  }

  /** Ids of all that are in memory. */
  ids(): readonly string[] {
    return [...this.#pinned.keys(), ...this.#idle.keys()]
  }

  /** The session where it is in memory. */
  find(id: string): Session | undefined {
    return this.#pinned.get(id) ?? this.#idle.peek(id)
  }

  /** Settles when the session, which is being loaded, is open. */
  opening(id: string): Promise<unknown> | undefined {
    return this.#opening.get(id)
  }

  /** Another process made it, or went on with it, and nothing of it is in memory. */
  changedAway(id: string): void {
    this.#core.histories.remove(id)
  }

  /**
   * Finds the session in memory, else in the store, else makes it, with `wallet`; once for all who ask. A foreign one is
   * `session_not_found`.
   */
  async open(id: string, owner: Owner, wallet?: Wallet): Promise<Session> {
    // One that is being loaded is in memory already, but nobody may act on it before it is mended.
    const opening = this.#opening.get(id)
    const held = opening === undefined ? this.#held(id) : undefined
    const session = held ?? (await (opening ?? this.#begin(id, owner, wallet)))
    if (!session.isOwnedBy(owner)) throw new ParleyError('session_not_found')
    // Until the next sweep, as one that is loaded: whoever opens it is about to use it.
    if (held?.retired === false) this.pin(held)
    return session
  }

  /** Finds the session in memory, else in the store, whoever owns it; undefined: nobody made it. */
  async existing(id: string): Promise<Session | undefined> {
    const held = this.#opening.has(id) ? undefined : this.#held(id)
    if (held !== undefined) return held
    const loaded = await this.#core.store.load(id)
    if (loaded === undefined) return this.#opening.get(id)
    return this.open(id, ownerOf(loaded.session, loaded.session.app))
  }

  /** What `find` finds, kept in memory. One that leaves it in the moment in which it was found is looked for anew. */
  async use(find: () => Promise<Session | undefined>): Promise<Session | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      const session = await find()
      if (session?.retired === true) continue
      if (session !== undefined) this.pin(session)
      return session
    }
    throw new ParleyError('overloaded')
  }

  /** Keeps the session in memory while something uses it; `unpin` when that ends. */
  pin(session: Session): void {
    if (session.retired) throw new ParleyError('internal_error', { message: 'The session moved; connect again' })
    if (this.#pinned.get(session.id) === session) return
    // Itself, or one of its id that was retired while it aged.
    this.#idle.delete(session.id)
    this.#pinned.set(session.id, session)
  }

  /** In use, or opened a moment ago. */
  isInUse(session: Session): boolean {
    return session.pinned || this.#pinned.get(session.id) === session
  }

  /** Lets it age when nothing uses it any more. */
  unpin(session: Session): void {
    if (session.pinned || this.#pinned.get(session.id) !== session) return
    this.#pinned.delete(session.id)
    if (session.retired) this.#forget(session, session.id)
    else this.#idle.set(session.id, session)
  }

  /** Out of memory at once: it was deleted or cannot be opened. */
  drop(session: Session, why: ParleyError): void {
    session.retire(why)
    this.#pinned.delete(session.id)
    this.#idle.delete(session.id)
    this.#forget(session, session.id)
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
  }

  #held(id: string): Session | undefined {
    const session = this.#pinned.get(id) ?? this.#idle.get(id)
    if (session === undefined || !session.retired) return session
    this.unpin(session)
    // One that was deleted has nothing more to write: a new one may stand beside it.
    return session.pinned && session.stored ? session : undefined
  }

  #begin(id: string, owner: Owner, wallet?: Wallet): Promise<Session> {
    const opening = this.#load(id, owner, wallet)
    this.#opening.set(id, opening)
    return opening
  }

  /** Always waits, so that it is noted as opening before it is not any more. */
  async #load(id: string, owner: Owner, wallet?: Wallet): Promise<Session> {
    try {
      const loaded = await this.#core.store.load(id)
      const row = newRow(id, owner, this.#core.now())
      const session = new Session(this.#core, wallet === undefined ? row : { ...row, wallet }, loaded)
      this.pin(session)
      if (loaded !== undefined) await this.#mend(session, loaded)
      if (session.queue.length > 0) void startNext(session)
      return session
    } finally {
      this.#opening.delete(id)
    }
  }

  async #mend(session: Session, loaded: LoadedSession): Promise<void> {
    try {
      await session.exclusive(() => recover(session, loaded))
    } catch (thrown) {
      this.drop(session, toParleyError(thrown))
      throw thrown
    }
  }

  #forget(session: Session, id: string): void {
    // Something began to use it while it aged.
    if (session.pinned && !session.retired) return void this.#pinned.set(id, session)
    // Who opened it and did not attach yet must not bring it back beside a newer one.
    session.retired = true
    this.#core.log.drop(id)
  }

  #sweepRuns(): void {
    const time = this.#core.uptime()
    for (const session of this.#core.running) session.tick(time)
  }

  #sweepIdle(): void {
    for (const session of this.#pinned.values()) {
      if (session.queueIsDue) void startNext(session)
      this.unpin(session)
    }
    this.#idle.purgeStale()
    this.#core.histories.sweep()
    this.#core.log.sweep(this.#core.now())
  }
}

function newRow(id: string, owner: Owner, now: number): SessionRow {
  return { id, ...owner, status: 'idle', createdAt: now, updatedAt: now }
}
