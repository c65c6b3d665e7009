import type { Core } from '../core.ts'
import type { Run } from '../run/run.ts'
import { tellMs } from './deserted.ts'
import type { Session } from './session.ts'

/** Somebody watches the run through another process: as if they left when the next word of them is due. */
export function seenElsewhere(session: Session, run: Run): void {
  const grace = run.plan.app.stopAfterDisconnectMs
  if (grace !== undefined && session.leftAt !== undefined) session.leftAt = session.core.uptime() + tellMs(grace)
}

/** Tells the processes that have runs on which of them somebody watches here, where their Apps stop those that nobody watches. */
export class WatchedElsewhere {
  readonly #core: Core
  readonly #toldAt = new WeakMap<Session, number>()

  constructor(core: Core) {
    this.#core = core
  }

  /** One statement for all; most Apps need none. */
  async tell(sessions: readonly Session[]): Promise<void> {
    const now = this.#core.uptime()
    const due = await Promise.all(sessions.map((session) => this.#isDue(session, now)))
    const told = sessions.filter((_, index) => due[index])
    for (const session of told) this.#toldAt.set(session, now)
    const runs = told.flatMap(({ id, activity }) =>
      activity.kind === 'elsewhere' ? [{ node: activity.node, sessionId: id, runId: activity.runId }] : [],
    )
    if (runs.length > 0) await this.#core.store.tellElsewhere('watched', runs)
  }

  async #isDue(session: Session, now: number): Promise<boolean> {
    if (session.watchers.length === 0) return false
    const grace = (await this.#core.apps.get(session.row.app))?.stopAfterDisconnectMs
    if (grace === undefined) return false
    const toldAt = this.#toldAt.get(session) ?? Number.NEGATIVE_INFINITY
    return now - toldAt >= tellMs(grace)
  }
}
