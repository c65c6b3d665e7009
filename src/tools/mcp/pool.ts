import { LRUCache } from 'lru-cache'
import type { McpServer } from '../../ports/apps.ts'
import { ToolError } from '../../ports/tool.ts'
import { type ChannelParts, openChannel } from './channel.ts'
import { loadSdk } from './sdk.ts'
import { McpSession } from './session.ts'

/** Connections to addresses: more than Apps that are talked to within some minutes, less than a process has files. */
const MAX_CONNECTIONS = 200
/** Servers whose failures are remembered. */
const MAX_FAILURES = 1000
/** Milliseconds until one that failed is tried again: doubled each time, from the first to the last. */
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [500, 60_000]
/** Milliseconds after which a connection has held: the next failure is a first one again. */
const STABLE_MS = 30_000
/** Milliseconds between looks for idle ones. */
const SWEEP_MS = 5000

export type PoolParts = ChannelParts & {
  /** Processes that programs run in. */
  readonly processes: number
  /** Milliseconds that a connection without a call or a run is kept. */
  readonly idleMs: number
}

/** The server is not to be asked now. */
export class Absent extends ToolError {
  readonly reason: 'backoff' | 'full'

  constructor(reason: Absent['reason']) {
    super('The server of this tool is not there now; try again later.')
    this.reason = reason
  }
}

type Entry = {
  readonly app: string
  readonly server: McpServer
  opening: Promise<McpSession>
  session?: McpSession
}

/** Connections to the servers of Apps, one for each entry of a definition: two that are equal in one App share it. */
export class Pool {
  readonly #parts: PoolParts
  readonly #entries = new Map<string, Entry>()
  /** Out of use: those that calls are still on in, and those that are being closed. */
  readonly #leaving = new Set<Entry>()
  readonly #failures = new LRUCache<string, { readonly count: number; readonly until: number }>({ max: MAX_FAILURES })
  readonly #sweeper: NodeJS.Timeout
  #closed = false

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  /** Those that are open, or about to be. */
  get size(): number {
    return this.#entries.size
  }

  /** Rejects with Absent, or as the server could not be reached. */
  get(app: string, server: McpServer): Promise<McpSession> {
    const key = JSON.stringify([app, server])
    const known = this.#entries.get(key)
    if (known !== undefined) return known.opening
    const failure = this.#failures.get(key)
    if (failure !== undefined && performance.now() < failure.until) return Promise.reject(new Absent('backoff'))
    if (this.#closed || !this.#makeRoom(server.at.kind)) return Promise.reject(new Absent('full'))
    const entry: Entry = { app, server, opening: NEVER }
    this.#entries.set(key, entry)
    entry.opening = this.#open(key, entry)
    return entry.opening
  }

  /** The App is another now: calls that are on end, new ones get a new connection. */
  retire(app: string): void {
    for (const [key, entry] of this.#entries) if (entry.app === app) this.#takeOut(key, entry)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweeper)
    for (const [key, entry] of this.#entries) this.#takeOut(key, entry)
    await Promise.all([...this.#leaving].map((entry) => this.#end(entry)))
  }

  async #open(key: string, entry: Entry): Promise<McpSession> {
    const { app, server } = entry
    try {
      const sdk = await loadSdk()
      const channel = openChannel(app, server, sdk, this.#parts)
      const onLeft = (tools: number): void =>
        this.#parts.telemetry.log('warn', 'mcp tools left out', { app, server: server.name, tools })
      const session = new McpSession({ server, sdk, channel, onClose: () => this.#onClose(key, entry), onLeft })
      entry.session = session
      await session.open()
      return session
    } catch (thrown) {
      this.#onClose(key, entry)
      throw thrown
    }
  }

  /** It closed by itself. */
  #onClose(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return
    this.#entries.delete(key)
    this.#leaving.add(entry)
    void this.#end(entry)
    if (entry.session?.isForgotten === true) return
    const now = performance.now()
    const held = entry.session !== undefined && now - entry.session.openedAt > STABLE_MS
    const count = held ? 1 : (this.#failures.get(key)?.count ?? 0) + 1
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (count - 1), LAST_PAUSE_MS)
    this.#failures.set(key, { count, until: now + pause })
    const { app, server } = entry
    this.#parts.telemetry.log('warn', 'mcp server left', {
      app,
      server: server.name,
      failures: count,
      retryInMs: pause,
    })
  }

  #sweep(): void {
    const idleSince = performance.now() - this.#parts.idleMs
    for (const [key, entry] of this.#entries) if (isIdle(entry, idleSince)) this.#takeOut(key, entry)
    for (const entry of this.#leaving) if (isUnused(entry)) void this.#end(entry)
  }

  #takeOut(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#leaving.add(entry)
    if (isUnused(entry)) void this.#end(entry)
  }

  async #end(entry: Entry): Promise<void> {
    await entry.session?.close()
    // One that was only about to be made is there now.
    await entry.opening.catch(() => undefined)
    await entry.session?.close()
    this.#leaving.delete(entry)
  }

  /** False: all places are taken by such that are in use. */
  #makeRoom(kind: McpServer['at']['kind']): boolean {
    const most = kind === 'http' ? MAX_CONNECTIONS : this.#parts.processes
    const isOfKind = (entry: Entry): boolean => entry.server.at.kind === kind
    const live = [...this.#entries].filter(([, entry]) => isOfKind(entry))
    if (live.length < most) return true
    const idle = live
      .filter(([, entry]) => isIdle(entry, Number.POSITIVE_INFINITY))
      .toSorted(([, a], [, b]) => (a.session?.usedAt ?? 0) - (b.session?.usedAt ?? 0))
    const [oldest] = idle
    // They take a moment to go: more than as many again are not waited for.
    if (oldest === undefined || [...this.#leaving].filter(isOfKind).length >= most) return false
    this.#takeOut(...oldest)
    return true
  }
}

const NEVER = new Promise<never>(() => undefined)

/** Nobody waits for anything of it. */
function isUnused({ session }: Entry): boolean {
  return session !== undefined && (session.closed || (session.isOpen && session.calls === 0))
}

/** Likewise, and not used since. */
function isIdle(entry: Entry, since: number): boolean {
  return isUnused(entry) && entry.session !== undefined && entry.session.usedAt < since
}
