import type { Access } from '../ports/access.ts'
import type { Apps } from '../ports/apps.ts'
import type { EventLog } from '../ports/event-log.ts'
import type { Providers } from '../ports/provider.ts'
import type { ChangeFeed, SessionStore } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import type { Tools } from '../ports/tool.ts'
import type { OwnSecrets } from '../ports/vault.ts'
import type { HistoryCache } from './session/history-cache.ts'
import type { ChatSettings } from './settings.ts'
import type { TurnQueue } from './turn-queue.ts'

/** Something that is looked at a few times a second while a run is on. */
export interface Ticking {
  tick(time: number): void
}

/** What every part of the core may use. One per process. */
export type Core = {
  readonly store: SessionStore & ChangeFeed
  readonly log: EventLog
  readonly providers: Providers
  readonly tools: Tools
  readonly apps: Apps
  readonly access: Access
  /** Absent: people leave no secrets here. */
  readonly own?: OwnSecrets
  readonly telemetry: Telemetry
  readonly settings: ChatSettings
  readonly histories: HistoryCache
  /** Sessions whose run is on. */
  readonly running: Set<Ticking>
  /** What connections still have to be told, a piece each. */
  readonly turns: TurnQueue
  /** To every member of a session's group. */
  readonly broadcast: (group: string, text: string) => void
  readonly now: () => number
  /**
   * Whole milliseconds since this began, whatever the clock is set to: all durations are measured by it. Connections note it: a
   * small number (for 24 days) takes no memory of its own.
   */
  readonly uptime: () => number
  /** True once a shutdown began: no new work is taken. */
  readonly draining: () => boolean
}
