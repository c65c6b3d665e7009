import { encodeControl } from '../../protocol/codec.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Core } from '../core.ts'
import type { Session } from '../session/session.ts'
import type { Sessions } from '../session/sessions.ts'
import type { Attached, ConnectionHost } from './attached.ts'
import type { Watcher } from './audience.ts'
import type { Caller } from './caller.ts'

const FULL = 'The server has as many connections as it may'
/** When whoever found it full may look again. */
const FULL_RETRY_MS = 5000
/** Milliseconds between looks at all connections: pings are due and the dead are found within this. */
const HEARTBEAT_SWEEP_MS = 1000
const PING_FRAME = encodeControl({ type: 'ping' })
/** Places left in a session, at most, when its connections are asked whether they are still there; and how many are, the oldest. */
const [ASK_FROM, ASK_MOST] = [25, 100]
/** Milliseconds between two such questions to a connection, and until one that says nothing counts as silent. */
const [ASK_EVERY_MS, SILENT_AFTER_MS] = [250, 100]

/** All connections of this process: heartbeats in one sweep, revocation. */
export class Hub implements ConnectionHost {
  readonly core: Core
  readonly sessions: Sessions
  readonly #connections = new Set<Attached>()
  readonly #timer: NodeJS.Timeout
  #arriving = 0

  constructor(core: Core, sessions: Sessions) {
    this.core = core
    this.sessions = sessions
    this.#timer = setInterval(() => this.#sweep(), HEARTBEAT_SWEEP_MS)
    core.access.onRevoked((keyIds) => this.#revoked(keyIds))
  }

  get size(): number {
    return this.#connections.size
  }

  /**
   * A handshake is being judged, and may become a connection. Throws `overloaded` where the process has as many as it may, before anybody
   * is asked who it is: those who are there, the database and models need what files are left.
   */
  beginArrival(): void {
    const { connections: most = Number.POSITIVE_INFINITY } = this.core.settings
    if (this.size + this.#arriving >= most)
      throw new ParleyError('overloaded', { message: FULL, retryAfterMs: FULL_RETRY_MS })
    this.#arriving++
  }

  endArrival(): void {
    this.#arriving--
  }

  /** Bytes that wait in this process for all its peers. */
  get waiting(): number {
    let bytes = 0
    for (const { outbox } of this.#connections) bytes += outbox.socket.buffered()
    return bytes
  }

  all(): readonly Attached[] {
    return [...this.#connections]
  }

  add(connection: Attached): void {
    this.#connections.add(connection)
    this.core.telemetry.count('connections_opened_total')
  }

  makeRoom({ session: { watchers }, app: { limits } }: Pick<Caller, 'session' | 'app'>): void {
    const most = limits?.connectionsPerSession ?? this.core.settings.connectionsPerSession
    const left = most - watchers.length
    if (left > Math.min(ASK_FROM, most / 2)) return
    const time = this.core.uptime()
    const connections = watchers.slice(0, ASK_MOST).filter(isConnection)
    if (left <= 0) (longestSilent(connections, time) ?? watchers[0])?.end(new ParleyError('too_many_connections'))
    for (const connection of connections) if (time - connection.pingedAt >= ASK_EVERY_MS) ask(connection, time)
  }

  remove(connection: Attached): void {
    this.#connections.delete(connection)
  }

  pin(session: Session): void {
    this.sessions.pin(session)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #revoked(keyIds: ReadonlySet<string>): void {
    for (const connection of this.#connections) {
      const { keyId } = connection.caller.principal
      if (keyId !== undefined && keyIds.has(keyId)) connection.end(new ParleyError('unauthorized'))
    }
  }

  #sweep(): void {
    const time = this.core.uptime()
    for (const connection of this.#connections) {
      if (this.#isDead(connection, time)) this.core.turns.run(() => this.#endDead(connection))
      else if (time - connection.pingedAt >= this.core.settings.pingEveryMs) ping(connection, time)
    }
  }

  /** Each in its turn: much waits for the dead, and all who came together die together. */
  #endDead(connection: Attached): void {
    if (this.#isDead(connection, this.core.uptime())) connection.end(new ParleyError('no_sign_of_life'))
  }

  /** Pings leave with the sweep, up to a whole one late: the time to answer counts from the ping that was sent. */
  #isDead({ heardAt, askedAt }: Attached, time: number): boolean {
    const { pingEveryMs, deadAfterMs } = this.core.settings
    return askedAt > heardAt && time - askedAt >= deadAfterMs && time - heardAt > pingEveryMs + deadAfterMs
  }
}

function ping(connection: Attached, time: number): void {
  connection.outbox.send(PING_FRAME)
  ask(connection, time)
}

function ask(connection: Attached, time: number): void {
  if (connection.askedAt <= connection.heardAt) connection.askedAt = time
  connection.pingedAt = time
  connection.outbox.socket.ping()
}

function isConnection(watcher: Watcher): watcher is Attached {
  return 'heardAt' in watcher
}

/** The one that was asked longest ago of those that said nothing since: its line is down most likely. */
function longestSilent(connections: readonly Attached[], time: number): Attached | undefined {
  const silent = connections.filter(({ heardAt, askedAt }) => askedAt > heardAt && time - askedAt >= SILENT_AFTER_MS)
  return silent.sort((a, b) => a.askedAt - b.askedAt)[0]
}
