import type { Watcher } from '../connection/audience.ts'
import type { Session } from '../session/session.ts'

/** Milliseconds after a request for which its sender counts as watching: longer than a poll's interval, or than a request takes. */
const STAY_MS = 10_000
/** Milliseconds between looks at who has left. */
const LOOK_MS = 1000

/**
 * Who comes by single requests watches a session as long as its requests come: the session stays in memory, is renewed instead
 * of dropped when another process changes it, and an answer is not taken for one that nobody watches.
 */
export class Visits {
  readonly #visits = new Map<Session, Visit>()
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout

  constructor(now: () => number) {
    this.#now = now
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  /** Somebody asks for it now. */
  seen(session: Session): void {
    const known = this.#visits.get(session)
    if (known !== undefined) known.until = this.#now() + STAY_MS
    else this.#begin(session)
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const visit of this.#visits.values()) visit.end()
  }

  #begin(session: Session): void {
    const until = this.#now() + STAY_MS
    const end = (): void => {
      this.#visits.delete(session)
      session.detach(visit)
    }
    const visit: Visit = { until, end }
    this.#visits.set(session, visit)
    session.attach(visit)
  }

  #look(): void {
    const now = this.#now()
    for (const visit of this.#visits.values()) if (visit.until <= now) visit.end()
  }
}

type Visit = Watcher & { until: number; readonly end: () => void }
