import type { LogEntry, LogReader, SessionLog } from '../../ports/event-log.ts'
import { isSameOwner } from '../../ports/sessions.ts'
import type { LoadedSession, Owner, RunRow, SessionRow } from '../../ports/store.ts'
import { encodeControl, encodeEvent } from '../../protocol/codec.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { ControlFrame, LastRun, SessionStatus } from '../../protocol/frames.ts'
import { Audience, NOBODY, type Watcher, withOne, withoutOne } from '../connection/audience.ts'
import type { Core, Ticking } from '../core.ts'
import type { Run } from '../run/run.ts'
import { statusAfter, toLastRun } from '../run/run-end.ts'
import type { RunHost, SessionChange } from '../run/run-plan.ts'
import { type Activity, NOTHING, NOTHING_QUEUED, type QueuedSend } from './activity.ts'
import { isDeserted } from './deserted.ts'
import { orGone } from './gone.ts'
import { History } from './history.ts'
import { loadHistory } from './load-history.ts'
import { leavesDoubt } from './refusals.ts'
import { pick, setElsewhere, touched } from './session-row.ts'
import { toStatusFrame } from './status-frame.ts'

export const NOTHING_UNTOLD: ReadonlySet<string> = new Set()
/** Milliseconds between looks at a session that someone waits for. */
const SETTLE_LOOK_MS = 10

/**
 * One session in memory: its record, queue, log and audience. What it shows (`row`) is what is durable; commands that change
 * it run one after the other (`exclusive`), so nobody decides on a state that another is about to change.
 */
export class Session implements RunHost, Ticking, LogReader {
  readonly core: Core
  readonly id: string
  readonly log: SessionLog
  readonly audience: Audience
  row: SessionRow
  activity: Activity = NOTHING
  queue: readonly QueuedSend[] = NOTHING_QUEUED
  /** Before then a queue whose next run could not be started is left alone. */
  queueWaitsUntil = 0
  lastRun: LastRun | undefined
  lastPosition = 0
  /** The newest ended run, while calls of it are open. */
  waiting: RunRow | undefined
  /** Messages' ids: results of calls of `waiting` that are stored, and that clients are told of when the next run begins. */
  untold: ReadonlySet<string> = NOTHING_UNTOLD
  /** The store holds a row of it. */
  stored = false
  /** Connections attached, live or behind, and other followers, the oldest first. */
  watchers: readonly Watcher[] = NOBODY
  /** Sends were taken out of the queue, or the store knew an id that memory did not: it is asked before an id counts as new. */
  hidesSends = false
  /** A write was refused but may have been stored: the store is asked before the next command decides. */
  doubtful = false
  /** What will be durable once every submitted write is. */
  #submitted: SessionRow
  #tail: Promise<unknown> | undefined
  #loading: Promise<History> | undefined
  /** How often the store's word was taken over ours. */
  #lives = 0
  /** When the last watcher left, or was heard of elsewhere; undefined while there is one, and before the first. */
  leftAt: number | undefined
  /** Set when it left memory or its copy is in doubt: whoever holds it must open it anew. */
  retired = false

  constructor(core: Core, row: SessionRow, loaded?: LoadedSession) {
    this.core = core
    this.id = row.id
    this.row = this.#submitted = row
    if (loaded !== undefined) this.adopt(loaded)
    this.audience = new Audience(row.id, core.broadcast)
    this.log = core.log.open(row.id)
    this.log.subscribe(this)
  }

  get active(): Run | undefined {
    return this.activity.kind === 'running' ? this.activity.run : undefined
  }

  /** The run that is on, here or in another process. */
  get runId(): string | undefined {
    return this.activity.kind === 'elsewhere' ? this.activity.runId : this.active?.runId
  }

  /** True while a command holds the session. */
  get busy(): boolean {
    return this.#tail !== undefined
  }

  /** The queue, as far as it is known, should go on and nobody sees to it: its next run could not be started. */
  get queueIsDue(): boolean {
    if (this.queue.length === 0 && !this.doubtful) return false
    return this.activity.kind === 'none' && !this.busy && this.core.uptime() >= this.queueWaitsUntil
  }

  /** A session in use stays in memory (I8). */
  get pinned(): boolean {
    const { kind } = this.activity
    return this.watchers.length > 0 || kind === 'running' || kind === 'saving' || this.#tail !== undefined
  }

  /** The history that the active run works on. */
  get pinnedHistory(): History {
    if (this.activity.kind === 'none') throw new ParleyError('internal_error')
    return this.activity.history
  }

  get status(): SessionStatus {
    if (this.runId !== undefined || this.queue.length > 0) return 'processing'
    return this.row.status === 'processing' ? statusAfter(this.lastRun) : this.row.status
  }

  isOwnedBy(owner: Owner): boolean {
    return isSameOwner(this.row, owner)
  }

  /** Runs `task` after every task before it. A failure is the caller's alone. */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    const result = (this.#tail ?? Promise.resolve()).then(task)
    const tail = Promise.allSettled([result])
    this.#tail = tail
    void tail.then(() => {
      if (this.#tail === tail) this.#tail = undefined
      return undefined
    })
    return result
  }

  /** The newest part of the conversation, as committed; loaded once for all that ask at the same time. */
  async history(): Promise<History> {
    if (this.activity.kind !== 'none') return this.activity.history
    const cached = this.core.histories.get(this.id)
    if (cached !== undefined) return cached
    this.#loading ??= this.#loadHistory().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  /** Makes rows durable without a change of the session's own, as `CommitOptions` says. */
  save(change: SessionChange, giveUpAfterMs: number | 'never', patienceMs = 0): Promise<void> {
    return this.core.store.commit({ sessionId: this.id, ...change }, { giveUpAfterMs, patienceMs })
  }

  /**
   * Persist, then cache (I3): makes `changes` of the record durable together with the rows of `write`; `row` shows them once
   * they are. Writes reach the store in the order of these calls.
   */
  async change(changes: Partial<SessionRow>, write: SessionChange, giveUpAfterMs: number | 'never'): Promise<void> {
    if (this.retired) throw new ParleyError('session_not_found')
    const stamped = { ...changes, updatedAt: this.core.now() }
    this.#submitted = { ...this.#submitted, ...stamped }
    const record = this.stored ? touched(this.#submitted, changes) : { session: this.#submitted }
    try {
      await this.core.store.commit({ sessionId: this.id, ...record, ...write }, { giveUpAfterMs })
    } catch (thrown) {
      this.#submitted = { ...this.#submitted, ...pick(this.row, stamped) }
      if (leavesDoubt(thrown)) this.doubtful = true
      throw await orGone(this, thrown)
    }
    this.row = { ...this.row, ...stamped }
    this.stored = true
  }

  /** The store's word over ours. Nothing is on. */
  adopt(loaded: LoadedSession): void {
    this.row = this.#submitted = loaded.session
    this.stored = true
    this.lastPosition = loaded.lastPosition
    this.lastRun = loaded.lastRun === undefined ? undefined : toLastRun(loaded.lastRun)
    this.waiting = loaded.lastRun?.pending === undefined ? undefined : loaded.lastRun
    this.#lives++
    this.core.histories.remove(this.id)
  }

  /** What another process set, while a run of ours is on. */
  learn(stored: SessionRow): void {
    this.row = { ...this.row, ...setElsewhere(stored) }
    this.#submitted = { ...this.#submitted, ...setElsewhere(stored) }
  }

  /** Resolves when no run is on. Rejects when its end waits for a store that is away: that may last. */
  async settled(): Promise<void> {
    while (this.activity.kind === 'running') await new Promise((resolve) => setTimeout(resolve, SETTLE_LOOK_MS))
    if (this.activity.kind === 'saving') throw new ParleyError('store_unavailable')
  }

  /** A control frame to all who are at the head, and to followers. */
  announce(frame: ControlFrame): void {
    for (const watcher of this.watchers) watcher.told?.(frame)
    if (this.audience.size > 0) this.audience.deliver(encodeControl(frame))
  }

  announceStatus(): void {
    this.announce(this.statusFrame())
  }

  /** The queue changed without an event: those who read only the log look again. */
  announceQueue(): void {
    this.announceStatus()
    for (const watcher of this.watchers) watcher.moved?.()
  }

  statusFrame(): ControlFrame {
    return toStatusFrame(this, this.core.now())
  }

  /** Its copy is gone or wrong: its connections go, and the next who opens it reads the store. */
  retire(why: ParleyError): void {
    this.retired = true
    this.core.histories.remove(this.id)
    this.core.log.drop(this.id)
    for (const watcher of this.watchers) watcher.end(why)
  }

  /** Deadlines and checkpoints of the run; sockets that fill leave the audience. */
  tick(time: number): void {
    const run = this.active
    if (run !== undefined && isDeserted(this.core, run, this.leftAt, time)) run.stop({ kind: 'interrupted' })
    run?.tick(time)
    this.audience.sweep()
  }

  attach(watcher: Watcher): void {
    this.watchers = withOne(this.watchers, watcher)
    this.leftAt = undefined
  }

  detach(watcher: Watcher): void {
    this.audience.leave(watcher)
    const others = withoutOne(this.watchers, watcher)
    if (others.length === 0 && this.watchers.length > 0) this.leftAt = this.core.uptime()
    this.watchers = others
  }

  async #loadHistory(): Promise<History> {
    const life = this.#lives
    const history = this.stored ? await loadHistory(this.core, this.id) : new History({ messages: [], hasMore: false })
    // What was read before the store's word was taken is old.
    if (life !== this.#lives) return this.#loadHistory()
    this.core.histories.put(this.id, history)
    return history
  }

  heard(entry: LogEntry): void {
    for (const watcher of this.watchers) watcher.moved?.()
    if (this.audience.size > 0) this.audience.deliver(encodeEvent(this.log.epoch, entry.last, entry.event))
  }
}
