import type { Follower, Told } from '../../ports/conversations.ts'
import type { Change } from '../../ports/store.ts'
import { ParleyError, toParleyError } from '../../protocol/errors.ts'
import type { Event } from '../../protocol/events.ts'
import type { ControlFrame } from '../../protocol/frames.ts'
import type { Cursor } from '../../protocol/ids.ts'
import type { Watcher } from '../connection/audience.ts'
import type { Hub } from '../connection/hub.ts'
import { currentApp } from '../run/start-run.ts'
import type { Session } from '../session/session.ts'
import { SessionConversation } from './conversation.ts'

/** Milliseconds between looks for sessions that someone waits for: those that a socket made. */
const ARRIVAL_LOOK_MS = 1000
/** Entries of the log that are read at once; usually it is one. */
const READ_ENTRIES = 2000

/** All who follow sessions, also such as do not exist yet. */
export class Followers {
  readonly #hub: Hub
  readonly #waiting = new Map<string, Set<Following>>()
  readonly #attached = new Set<Following>()
  readonly #timer: NodeJS.Timeout
  readonly #unsubscribe: () => void

  constructor(hub: Hub) {
    this.#hub = hub
    this.#timer = setInterval(() => this.#look(), ARRIVAL_LOOK_MS)
    this.#unsubscribe = hub.core.store.subscribe((change) => this.#hear(change))
  }

  add(sessionId: string, follower: Follower): () => void {
    const following = new Following(follower, this.#hub)
    this.#wait(sessionId, following)
    following.onLeave = () => this.#forget(sessionId, following)
    void this.#find(sessionId)
    return () => following.leave()
  }

  arrived(session: Session): void {
    const waiting = this.#waiting.get(session.id)
    if (waiting === undefined) return
    this.#waiting.delete(session.id)
    for (const following of waiting) {
      this.#attached.add(following)
      void following.attach(session)
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#unsubscribe()
    for (const following of [...this.#attached, ...[...this.#waiting.values()].flatMap((set) => [...set])])
      following.end(new ParleyError('draining'))
  }

  #wait(sessionId: string, following: Following): void {
    const waiting = this.#waiting.get(sessionId) ?? new Set()
    this.#waiting.set(sessionId, waiting.add(following))
  }

  #forget(sessionId: string, following: Following): void {
    this.#attached.delete(following)
    const waiting = this.#waiting.get(sessionId)
    waiting?.delete(following)
    if (waiting?.size === 0) this.#waiting.delete(sessionId)
  }

  #look(): void {
    for (const id of this.#waiting.keys()) {
      const session = this.#hub.sessions.find(id)
      if (session !== undefined && !session.retired) this.arrived(session)
    }
  }

  /** Another process made it, or may have: then all are looked for. */
  #hear(change: Change): void {
    if (change.kind === 'session' && this.#waiting.has(change.id)) void this.#find(change.id)
    else if (change.kind === 'everything') for (const id of this.#waiting.keys()) void this.#find(id)
  }

  async #find(sessionId: string): Promise<void> {
    try {
      const session = await this.#hub.sessions.existing(sessionId)
      if (session !== undefined) this.arrived(session)
    } catch (thrown) {
      const waiting = this.#waiting.get(sessionId) ?? []
      for (const following of waiting) following.end(toParleyError(thrown))
    }
  }
}

/** One who follows one session: its titles, and the tools of its runs out of its log. */
class Following implements Watcher {
  readonly #follower: Follower
  readonly #hub: Hub
  #session: Session | undefined
  #cursor: Cursor | undefined
  #title: string | undefined
  #gone = false
  onLeave: () => void = () => {}

  constructor(follower: Follower, hub: Hub) {
    this.#follower = follower
    this.#hub = hub
  }

  async attach(session: Session): Promise<void> {
    try {
      await this.#follower.admit(new SessionConversation(session))
      const app = await currentApp(session)
      if (this.#gone) return
      this.#hub.pin(session)
      this.#hub.makeRoom({ session, app })
      session.attach(this)
      this.#session = session
      this.#cursor = session.log.head
      this.#tellTitle(session.row.title)
    } catch (thrown) {
      this.end(toParleyError(thrown))
    }
  }

  told(frame: ControlFrame): void {
    if (frame.type === 'session.updated') this.#tellTitle(frame.title)
  }

  moved(): void {
    const [session, cursor] = [this.#session, this.#cursor]
    if (session === undefined || cursor === undefined) return
    const read = session.log.read(cursor, READ_ENTRIES)
    this.#cursor = session.log.head
    if (read.kind === 'gap') return
    for (const { event } of read.entries) {
      const told = toolOf(session, event)
      if (told !== undefined) this.#follower.told(told)
    }
  }

  end(error: ParleyError): void {
    if (this.#gone) return
    this.leave()
    this.#follower.ended(error)
  }

  leave(): void {
    if (this.#gone) return
    this.#gone = true
    this.#session?.detach(this)
    this.onLeave()
  }

  #tellTitle(title: string | undefined): void {
    if (title === undefined || title === this.#title) return
    this.#title = title
    this.#follower.told({ kind: 'title', title })
  }
}

function toolOf(session: Session, event: Event): Told | undefined {
  if (event.type === 'TOOL_CALL_START') return { kind: 'tool', callId: event.toolCallId, name: event.toolCallName }
  if (event.type !== 'TOOL_CALL_RESULT') return undefined
  const { toolCallId: callId, content: text, metadata } = event
  return { kind: 'tool', callId, name: nameOf(session, callId), result: { text, isError: metadata?.isError === true } }
}

/** The event of a result does not say which tool it was; the call may be one of the run before, which was answered. */
function nameOf({ active, activity }: Session, callId: string): string {
  const rows = [...(active?.rows() ?? []), ...(activity.kind === 'none' ? [] : activity.history.rows)]
  return rows.flatMap(({ toolCalls = [] }) => toolCalls).find(({ id }) => id === callId)?.name ?? ''
}
