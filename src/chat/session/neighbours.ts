import type { Change, MessageRow } from '../../ports/store.ts'
import { sessionTag } from '../../ports/telemetry.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Core } from '../core.ts'
import { startNext } from '../run/run-lifecycle.ts'
import { renew } from './renew.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { seenElsewhere, WatchedElsewhere } from './watched.ts'

/** Milliseconds between looks at the runs of other processes: as often as those save what was said. */
const FOLLOW_MS = 1000

/**
 * What the other processes on the same store do to sessions that are in memory here. Copies that nobody uses go, the others
 * are renewed; runs that are on elsewhere are followed, all by one look.
 */
export class Neighbours {
  readonly #core: Core
  readonly #sessions: Sessions
  readonly #watchedElsewhere: WatchedElsewhere
  readonly #timer: NodeJS.Timeout
  readonly #unsubscribe: () => void
  /** Those whose renewal waits for its turn. */
  readonly #due = new Set<Session>()
  #looking = false

  constructor(core: Core, sessions: Sessions) {
    this.#core = core
    this.#sessions = sessions
    this.#watchedElsewhere = new WatchedElsewhere(core)
    this.#timer = setInterval(() => void this.#look(), FOLLOW_MS)
    this.#unsubscribe = core.store.subscribe((change) => this.#hear(change))
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#unsubscribe()
  }

  #hear(change: Change): void {
    if (change.kind === 'session') this.#changed(change.id)
    else if (change.kind === 'cancel') this.#cancel(change.sessionId, change.runId)
    else if (change.kind === 'watched') this.#watched(change.sessionId, change.runId)
    else if (change.kind === 'everything') void this.#changedAll()
  }

  /** Without another process nobody wrote, but the command line may have deleted: what is gone is looked for. */
  async #changedAll(): Promise<void> {
    const ids = this.#sessions.ids()
    if (this.#core.store.others > 0) for (const id of ids) this.#changed(id)
    else await Promise.all(ids.map((id) => this.#dropDeleted(id)))
  }

  async #dropDeleted(id: string): Promise<void> {
    try {
      const loaded = await this.#core.store.load(id)
      if (loaded === undefined && this.#sessions.find(id)?.stored === true) this.#changed(id)
    } catch (thrown) {
      // Its next write finds out.
      this.#core.telemetry.log('debug', 'session not renewed', { session: sessionTag(id) }, thrown)
    }
  }

  /** I4: it names its run; one that comes late finds another, or none. One that comes while the run starts finds it after that. */
  #cancel(sessionId: string, runId: string): void {
    const session = this.#sessions.find(sessionId)
    const stop = (): void => {
      if (session?.active?.runId === runId) session.active.stop({ kind: 'cancelled' })
    }
    stop()
    if (session?.busy === true) void session.exclusive(async () => stop())
  }

  #watched(sessionId: string, runId: string): void {
    const session = this.#sessions.find(sessionId)
    if (session?.active?.runId === runId) seenElsewhere(session, session.active)
  }

  #changed(id: string): void {
    const opening = this.#sessions.opening(id)
    if (opening !== undefined) return void opening.then(() => this.#changedWhileRead(id)).catch(() => undefined)
    const session = this.#sessions.find(id)
    if (session === undefined) this.#sessions.changedAway(id)
    else if (this.#sessions.isInUse(session)) this.#renew(session)
    else this.#sessions.drop(session, new ParleyError('internal_error'))
  }

  /** It may have been read before the change, and somebody is about to use it. */
  #changedWhileRead(id: string): void {
    const session = this.#sessions.find(id)
    if (session !== undefined) this.#renew(session)
  }

  #renew(session: Session): void {
    if (this.#due.has(session)) return
    this.#due.add(session)
    const renewed = session.exclusive(async () => {
      this.#due.delete(session)
      if (!session.retired) await renew(session)
    })
    renewed.then(
      // Whoever had it on may have died, or drained, before it could go on or say that there is nothing more to do.
      () => (session.queue.length > 0 || session.row.status === 'processing' ? startNext(session) : undefined),
      (thrown: unknown) =>
        this.#core.telemetry.log('debug', 'session not renewed', { session: sessionTag(session.id) }, thrown),
    )
  }

  /** One query for the states of all runs that are followed, one for what they have said. */
  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      await this.#follow(this.#sessions.pinned().filter(({ activity }) => activity.kind === 'elsewhere'))
    } catch (thrown) {
      // The next look finds all of it.
      this.#core.telemetry.log('debug', 'runs of other processes not read', {}, thrown)
    } finally {
      this.#looking = false
    }
  }

  async #follow(sessions: readonly Session[]): Promise<void> {
    if (sessions.length === 0) return
    const on = await Promise.all(sessions.map((session) => this.#isOn(session)))
    const followed = sessions.filter((_, index) => on[index])
    for (const session of sessions) if (!followed.includes(session)) this.#renew(session)
    const runs = followed.flatMap(({ id, runId }) => (runId === undefined ? [] : [{ sessionId: id, runId }]))
    const said = await this.#core.store.runMessages(runs)
    for (const session of followed) showProgress(session, said.get(session.id) ?? [])
    await this.#watchedElsewhere.tell(followed)
  }

  /** Whether its run is still the one that is followed, and its process lives. */
  async #isOn({ id, activity }: Session): Promise<boolean> {
    const loaded = await this.#core.store.load(id)
    return (
      activity.kind === 'elsewhere' &&
      loaded?.openRuns.some(
        ({ run, nodeAlive }) => nodeAlive && run.id === activity.runId && run.node === activity.node,
      ) === true
    )
  }
}

/** What was checkpointed since the last look: a snapshot of the run alone, which stands behind all that is older (P-62). */
function showProgress(session: Session, rows: readonly MessageRow[]): void {
  const { activity } = session
  const first = rows[0]
  if (activity.kind !== 'elsewhere' || first?.runId !== activity.runId) return
  const { history, runId } = activity
  const known = history.runRows(runId)
  // Of a run that is longer than the window the rest is older than it.
  const inWindow = rows.filter(({ index }) => index >= (known[0]?.index ?? 0))
  if (!isMore(inWindow, known)) return
  history.put(inWindow)
  session.log.skip()
  for (const watcher of session.watchers) watcher.skipped?.()
  session.announce({ type: 'session.snapshot', ...history.runPage(runId) })
}

/** Texts of a running answer only grow. */
function isMore(rows: readonly MessageRow[], known: readonly MessageRow[]): boolean {
  return (
    rows.length !== known.length ||
    rows.some((row, index) => {
      const before = known[index]
      return row.content.length !== before?.content.length || row.toolCalls?.length !== before.toolCalls?.length
    })
  )
}
