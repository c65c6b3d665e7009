import type { ParleyError } from '../../protocol/errors.ts'
import type { ControlFrame } from '../../protocol/frames.ts'
import type { Outbox } from './outbox.ts'

/** Whoever follows a session, as the session sees it. */
export interface Watcher {
  /** Tells the verdict and closes. */
  end(error: ParleyError): void
  /** The log moved, or a send left the queue. Only those have it that never join an audience and always read from the log. */
  moved?(): void
  /** What it was told was changed by another process. Only those have it that read nothing but the log. */
  replaced?(): void
  /** The log goes on behind what another process says, which has no events here. Only those have it that wait in the log for a run. */
  skipped?(): void
  /** Another process may have started these sends of the queue. Only those have it that read nothing but the log. */
  taken?(runIds: ReadonlySet<string>): void
  /** What all are told beside the log. Only those have it that are no connection and are in no audience. */
  told?(frame: ControlFrame): void
}

/** A connection, which may be at the head. */
export interface Listener extends Watcher {
  readonly outbox: Outbox
  /** Its frame was dropped or its outbox is full: it is closed as slow, with its cursor. */
  slow(): void
  /** It reads from the log from now on. */
  fellBehind(): void
}

export const NOBODY: readonly never[] = []

/** A longer list. An array that grows by push or spread keeps room for sixteen; nearly all sessions have one watcher. */
export function withOne<W extends Watcher>(watchers: readonly W[], watcher: W): readonly W[] {
  return watchers.length === 0 ? [watcher] : [...watchers, watcher]
}

/** A shorter list; the empty one is shared. */
export function withoutOne<W extends Watcher>(watchers: readonly W[], watcher: Watcher): readonly W[] {
  const others = watchers.filter((other) => other !== watcher)
  return others.length === 0 ? NOBODY : others
}

function isOnly<W extends Watcher>(watcher: W, watchers: readonly Watcher[]): watchers is readonly [W] {
  return watchers.length === 1 && watchers[0] === watcher
}

/**
 * The connections of a session that are at the head of its log. One alone is written to directly; several are a group of the
 * transport, so that a frame is encoded once and fanned out natively. Groups cost memory, so one watcher is none.
 */
export class Audience {
  readonly #group: string
  readonly #broadcast: (group: string, text: string) => void
  /** Made anew at each change, as `withOne` says. */
  #live: readonly Listener[] = NOBODY

  constructor(group: string, broadcast: (group: string, text: string) => void) {
    this.#group = group
    this.#broadcast = broadcast
  }

  get size(): number {
    return this.#live.length
  }

  /** `attached`: all watchers of the session, a list that serves here, too, while it holds this one alone. */
  join(watcher: Listener, attached: readonly Watcher[]): void {
    this.#live = this.#live.length === 0 && isOnly(watcher, attached) ? attached : withOne(this.#live, watcher)
    if (this.#live.length === 2) for (const member of this.#live) member.outbox.socket.join(this.#group)
    else if (this.#live.length > 2) watcher.outbox.socket.join(this.#group)
  }

  leave(watcher: Watcher): void {
    const leaving = this.#live.find((other) => other === watcher)
    if (leaving === undefined) return
    this.#live = withoutOne(this.#live, leaving)
    if (this.#live.length > 0) leaving.outbox.socket.leave(this.#group)
    if (this.#live.length === 1) this.#live[0]?.outbox.socket.leave(this.#group)
  }

  deliver(text: string): void {
    const only = this.#live[0]
    if (only === undefined) return
    if (this.#live.length > 1) this.#broadcast(this.#group, text)
    else if (!only.outbox.send(text)) only.slow()
  }

  /** Moves those whose sockets fill from live to behind; called every few tens of milliseconds while a run is on. */
  sweep(): void {
    const full = this.#live.filter((watcher) => watcher.outbox.overMark)
    for (const watcher of full) {
      this.leave(watcher)
      watcher.fellBehind()
    }
  }
}
