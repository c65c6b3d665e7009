import type { Conversations } from '../ports/conversations.ts'
import type { SessionDirectory } from '../ports/sessions.ts'
import type { HandshakeRequest, HandshakeVerdict } from '../ports/transport.ts'
import { ParleyError } from '../protocol/errors.ts'
import { handshake } from './connection/gateway.ts'
import { Hub } from './connection/hub.ts'
import type { Core } from './core.ts'
import { ProjectedConversations } from './projection/conversations.ts'
import { Directory } from './session/directory.ts'
import { HistoryCache } from './session/history-cache.ts'
import { Neighbours } from './session/neighbours.ts'
import type { Session } from './session/session.ts'
import { Sessions } from './session/sessions.ts'
import { TurnQueue } from './turn-queue.ts'

/** What the core is given; it makes the rest itself. */
export type ChatPorts = Omit<Core, 'histories' | 'running' | 'turns' | 'uptime' | 'draining'>

/** Milliseconds between looks at the runs that a drain waits for. */
const DRAIN_LOOK_MS = 50
/** Milliseconds that stopped runs get for their save after the drain's deadline. */
const DRAIN_SAVE_MS = 5000

/** The core as its server sees it. */
export class Chat {
  readonly directory: SessionDirectory
  readonly #conversations: ProjectedConversations
  readonly #core: Core
  readonly #sessions: Sessions
  readonly #hub: Hub
  readonly #neighbours: Neighbours
  #draining = false
  #hurried = false

  constructor(ports: ChatPorts) {
    const { now, settings } = ports
    const startedAt = performance.now()
    this.#core = {
      ...ports,
      histories: new HistoryCache(settings.historyBytes, settings.idleMs, now),
      running: new Set(),
      turns: new TurnQueue(),
      uptime: () => Math.floor(performance.now() - startedAt),
      draining: () => this.#draining,
    }
    this.#sessions = new Sessions(this.#core)
    this.#hub = new Hub(this.#core, this.#sessions)
    this.#neighbours = new Neighbours(this.#core, this.#sessions)
    this.directory = new Directory(this.#core, this.#sessions)
    this.#conversations = new ProjectedConversations(this.#hub)
    const { telemetry } = ports
    telemetry.gauge('connections', () => this.#hub.size)
    telemetry.gauge('outbox_bytes', () => this.#hub.waiting)
    telemetry.gauge('sessions_in_memory', () => this.#sessions.count)
    telemetry.gauge('history_bytes', () => this.#core.histories.bytes)
    telemetry.gauge('log_entries', () => ports.log.size.entries)
    telemetry.gauge('log_bytes', () => ports.log.size.bytes)
    telemetry.gauge('active_runs', () => this.#core.running.size)
  }

  get conversations(): Conversations {
    return this.#conversations
  }

  handshake(request: HandshakeRequest): Promise<HandshakeVerdict> {
    return handshake(this.#hub, request)
  }

  /**
   * I12: no new work from now on; clients are told when to come back. Idle ones are closed evenly over the time that they were
   * told, so that the next process does not get all of them in one moment; the others when their run ends. At the deadline
   * the runs that are left are interrupted and saved. Every connection is closed with 1012. Resolves when nothing is on any more.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true
    const { settings } = this.#core
    for (const connection of this.#hub.all())
      connection.tell({ type: 'server.draining', reconnectInMs: settings.reconnectMs })
    await this.#letGo(Math.min(settings.reconnectMs, deadlineMs), deadlineMs)
    this.#interruptAll()
    await this.#untilNoRun(DRAIN_SAVE_MS)
    for (const connection of this.#hub.all()) connection.end(new ParleyError('draining'))
    this.#conversations.stop()
    this.#neighbours.stop()
    this.#hub.stop()
    this.#sessions.stop()
  }

  /** A drain waits no longer for running answers, nor for anybody's turn to leave. */
  hurry(): void {
    this.#hurried = true
    this.#interruptAll()
  }

  /**
   * Closes who is idle over `spreadMs`, and who works once that is over. What a stall held up follows at twice the pace, not at once.
   * Resolves when all are gone, or at the deadline.
   */
  async #letGo(spreadMs: number, deadlineMs: number): Promise<void> {
    const startedAt = this.#core.uptime()
    const idle = this.#hub.all().filter(({ caller }) => !isWorking(caller.session))
    const spread = new Set(idle)
    const atOnce = Math.ceil((2 * idle.length * DRAIN_LOOK_MS) / Math.max(spreadMs, 1))
    for (let due = 0; ; ) {
      const elapsed = this.#core.uptime() - startedAt
      const even = elapsed >= spreadMs ? idle.length : Math.floor((idle.length * elapsed) / spreadMs)
      due = Math.min(even, due + atOnce)
      const leaving = new Set(idle.slice(0, due))
      for (const connection of this.#hub.all())
        if (!isWorking(connection.caller.session) && (leaving.has(connection) || !spread.has(connection)))
          connection.end(new ParleyError('draining'))
      const isOver = due === idle.length && !this.#isWorking()
      if (isOver || elapsed >= deadlineMs || this.#hurried) return
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS))
    }
  }

  #interruptAll(): void {
    for (const session of this.#sessions.pinned()) session.active?.stop({ kind: 'interrupted' })
  }

  async #untilNoRun(withinMs: number): Promise<void> {
    const deadline = this.#core.uptime() + withinMs
    while (this.#isWorking() && this.#core.uptime() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS))
    }
  }

  #isWorking(): boolean {
    return this.#core.running.size > 0 || this.#sessions.pinned().some(isWorking)
  }
}

/** A run is on, or a command is being stored that may start one. */
function isWorking(session: Session): boolean {
  return session.active !== undefined || session.busy
}
