import type { LogBounds } from '../ports/event-log.ts'
import { MAX_INBOUND_FRAME_BYTES, MAX_MESSAGE_BYTES } from '../protocol/limits.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const KIB = 1024
const MIB = 1024 * KIB

/** The core's numbers. `main` fills them from configuration; tests and the bench change single ones. Times in ms, sizes in bytes. */
export type ChatSettings = {
  readonly pingEveryMs: number
  /** After a ping without any sign of life. */
  readonly deadAfterMs: number
  readonly frameBytes: number
  readonly messageBytes: number
  /** What waits for one connection: from `behindBytes` it reads the log at its own pace, above `outboxBytes` it is closed. */
  readonly behindBytes: number
  readonly outboxBytes: number
  readonly queuedSends: number
  /** Of this process; undefined: no bound. */
  readonly connections?: number | undefined
  readonly connectionsPerSession: number
  readonly commandsPerSecond: number
  readonly commandBurst: number
  readonly historyBytes: number
  readonly recordCount: number
  readonly idleMs: number
  /** The newest part of a session's history that is held in memory and given to the model. */
  readonly windowBytes: number
  readonly windowMessages: number
  readonly checkpointMs: number
  /** How long a write that was not promised yet waits for the store. */
  readonly storeGiveUpMs: number
  /** How long a run's end waits for its save before it is told as `store_unavailable`. */
  readonly endSaveMs: number
  readonly providerStallMs: number
  readonly toolDeadlineMs: number
  /** How long a call is one connection's to execute before another may claim it. */
  readonly toolLeaseMs: number
  readonly toolResultBytes: number
  readonly toolRounds: number
  readonly runMs: number
  readonly titles: boolean
  readonly titleMs: number
  readonly drainMs: number
  /** When clients are told to come back after a drain began. */
  readonly reconnectMs: number
  readonly log: LogBounds
}

/** Defaults, each with its reason. Those of the protocol's table are told to clients in `session.ready`. */
export const DEFAULT_SETTINGS: ChatSettings = {
  pingEveryMs: 25 * SECOND, // below the 30 s at which common proxies cut silent connections
  deadAfterMs: 10 * SECOND, // a round trip on a bad phone link
  frameBytes: MAX_INBOUND_FRAME_BYTES,
  messageBytes: MAX_MESSAGE_BYTES,
  behindBytes: 256 * KIB, // about 4 s of a fast answer: more means that the peer does not keep up
  outboxBytes: MIB, // room for a snapshot and acks on top of the mark
  queuedSends: 10, // more than a person types ahead
  connectionsPerSession: 50, // tabs and devices of one person, and a few watchers
  commandsPerSecond: 20, // a person with every button held down
  commandBurst: 100, // a client that sends what it kept while offline
  historyBytes: 64 * MIB, // about 1,300 conversations of 50 messages of 1 KiB
  recordCount: 20_000, // idle records at about 1 KiB
  idleMs: 20 * MINUTE,
  windowBytes: MIB, // above what fits the largest model's context of text
  windowMessages: 2000,
  checkpointMs: SECOND, // what a crash may take of a running answer
  storeGiveUpMs: 5 * SECOND, // a failover of the store is often shorter; a person waits no longer
  endSaveMs: 30 * SECOND,
  providerStallMs: 90 * SECOND, // above the longest silence of a model that thinks
  toolDeadlineMs: 30 * SECOND,
  toolLeaseMs: 30 * SECOND, // a tab that went away is soon followed by another
  toolResultBytes: 64 * KIB,
  toolRounds: 25, // a model that loops stops here
  runMs: 10 * MINUTE,
  titles: true,
  titleMs: 20 * SECOND,
  drainMs: 30 * SECOND, // the default grace of container platforms
  reconnectMs: SECOND, // about what a restart takes
  log: {
    runEntries: 10_000,
    runBytes: 4 * MIB,
    idleEntries: 1000,
    idleBytes: MIB,
    idleMs: 5 * MINUTE, // a phone that comes back from a tunnel still gets its tail
  },
}
