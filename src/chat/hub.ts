import { encodeControl } from '../protocol/codec.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Caller } from './caller.ts'
import type { Connection, ConnectionHost } from './connection.ts'
import type { Core } from './core.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** Milliseconds between looks at all connections: pings are due and the dead are found within this. */
const HEARTBEAT_SWEEP_MS = 1000
const PING_FRAME = encodeControl({ type: 'ping' })

/** All connections of this process: heartbeats in one sweep, revocation, the last one that leaves. */
export class Hub implements ConnectionHost {
  readonly core: Core
  readonly sessions: Sessions
  readonly #connections = new Set<Connection>()
  readonly #timer: NodeJS.Timeout

  constructor(core: Core, sessions: Sessions) {
    this.core = core
    this.sessions = sessions
    this.#timer = setInterval(() => this.#sweep(), HEARTBEAT_SWEEP_MS)
    core.access.onRevoked((keyId) => this.#revoked(keyId))
  }

  get size(): number {
    return this.#connections.size
  }

  all(): readonly Connection[] {
    return [...this.#connections]
  }

  add(connection: Connection): void {
    this.#connections.add(connection)
    this.core.telemetry.count('connections_opened_total')
    const { watchers } = connection.caller.session
    if (watchers.length >= this.core.settings.connectionsPerSession)
      watchers[0]?.end(new ParleyError('too_many_connections'))
  }

  remove(connection: Connection): void {
    this.#connections.delete(connection)
    this.#left(connection.caller)
  }

  pin(session: Session): void {
    this.sessions.pin(session)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Where its App asks for it, a run that nobody watches any more is stopped after a grace (I4). */
  #left({ session, app }: Caller): void {
    const grace = app.stopAfterDisconnectMs
    const run = session.active
    if (session.watchers.length > 0 || run === undefined || grace === undefined) return
    setTimeout(() => session.watchers.length === 0 && run.stop({ kind: 'interrupted' }), grace)
  }

  #revoked(keyId: string): void {
    for (const connection of this.#connections)
      if (connection.caller.principal.keyId === keyId) connection.end(new ParleyError('unauthorized'))
  }

  #sweep(): void {
    const { now, settings } = this.core
    const time = now()
    for (const connection of this.#connections) {
      if (time - connection.heardAt > settings.pingEveryMs + settings.deadAfterMs)
        connection.end(new ParleyError('no_sign_of_life'))
      else if (time - connection.pingedAt >= settings.pingEveryMs) {
        connection.pingedAt = time
        connection.outbox.send(PING_FRAME)
        connection.outbox.socket.ping()
      }
    }
  }
}
