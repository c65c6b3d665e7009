import type { ControlFrame } from '../../protocol/frames.ts'
import type { Core } from '../core.ts'
import type { Session } from '../session/session.ts'
import type { Listener } from './audience.ts'
import type { Caller } from './caller.ts'

/** A socket's peer as its process sees it, whichever wire it speaks. */
export interface Attached extends Listener {
  readonly caller: Caller
  readonly heardAt: number
  pingedAt: number
  /** When the first ping went out that nothing was heard after; only newer than `heardAt` while that is so. */
  askedAt: number
  /** Sends one of our frames, in order with everything before it; nothing, where the peer's wire has no such frame. */
  tell(frame: ControlFrame): void
}

/** What a connection needs of the process it lives in. */
export interface ConnectionHost {
  readonly core: Core
  add(connection: Attached): void
  remove(connection: Attached): void
  /**
   * For one that comes. Of a session with as many as it may have, the one that is silent for longest is closed, else the oldest; those of
   * one that is nearly full are asked whether they are still there.
   */
  makeRoom(caller: Caller): void
  /** Keeps the session in memory; throws when it moved. */
  pin(session: Session): void
}
