import { randomUUID } from 'node:crypto'
import { onTestFinished, vi } from 'vitest'
import { Chat } from '../../src/chat/chat.ts'
import { MemoryEventLog } from '../../src/chat/log/memory-log.ts'
import { type ChatSettings, DEFAULT_SETTINGS } from '../../src/chat/settings.ts'
import type { Access, AccessRequest, Principal } from '../../src/ports/access.ts'
import type { App } from '../../src/ports/apps.ts'
import type { MessageRow, RunRow } from '../../src/ports/store.ts'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { type Tool, type ToolContext, ToolError, type Tools } from '../../src/ports/tool.ts'
import type { HandshakeVerdict } from '../../src/ports/transport.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { FakeGroups, FakeSocket } from './fake-socket.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'
import { PuppetProvider } from './puppet-provider.ts'
import { deferred, turns } from './turns.ts'

/** Milliseconds between two signs of life of a peer: well within a heartbeat. */
const PULSE_MS = 10_000

/** Gives its arguments back. */
export const ECHO: Tool = {
  spec: { name: 'echo', description: 'Gives its arguments back', parameters: { type: 'object' } },
  execute: async (args) => JSON.stringify(args),
}
/** Fails with a message for the model. */
export const FAIL: Tool = {
  spec: { name: 'fail', description: 'Fails', parameters: { type: 'object' } },
  execute: async () => {
    throw new ToolError('it did not work')
  },
}

/** A tool named `slow` whose calls the test answers. */
export class SlowTool implements Tool {
  readonly spec = { name: 'slow', description: 'Waits', parameters: { type: 'object' } }
  readonly calls: (ReturnType<typeof deferred<string>> & { readonly context: ToolContext })[] = []
  #onCall: (() => void) | undefined

  execute(_args: unknown, context: ToolContext): Promise<string> {
    const call = { ...deferred<string>(), context }
    this.calls.push(call)
    this.#onCall?.()
    return call.promise
  }

  /** The nth call, made already or still to come. */
  async call(nth = 0) {
    while (true) {
      const call = this.calls[nth]
      if (call !== undefined) return call
      await new Promise<void>((resolve) => {
        this.#onCall = resolve
      })
    }
  }
}

export const TEST_APP: App = {
  id: 'default',
  name: 'Test',
  preamble: 'You are a test.',
  model: { default: 'puppet/p', allowed: ['puppet/p', 'puppet/q'], maxOutputTokens: 1000, contextTokens: 10_000 },
  tools: ['echo', 'fail', 'slow'].map((name) => ({ kind: 'server', name, ask: false })),
}

export const ANYONE: Principal = { kind: 'anonymous', scopes: ['read', 'write', 'delete'], apps: ['default'] }

export type RigOptions = {
  readonly store?: MemoryStore
  readonly settings?: Partial<ChatSettings>
  readonly tools?: readonly Tool[]
  /** What the App's MCP servers have. */
  readonly listed?: Tools['listed']
  readonly app?: Partial<App>
  /** Who connects unless `connect` says otherwise; or what a credential answers. */
  readonly identify?: (request: AccessRequest, app: string) => Promise<Principal>
  readonly charge?: Access['charge']
  readonly standing?: Access['standing']
  readonly admitRun?: Access['admitRun']
  readonly takeRun?: Access['takeRun']
  readonly admitGuest?: Access['admitGuest']
  readonly admitConnection?: Access['admitConnection']
  readonly leaveConnection?: Access['leaveConnection']
  readonly log?: Partial<ChatSettings['log']>
}

export type Peer = {
  readonly cursor?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: string
}

/**
 * Timers and the clock stand still until the test moves them; turns of the event loop go on. Until the test's end.
 */
export function stopClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
}

/** The real core around a store, with the test as model, transport and clients. */
export class ChatRig {
  readonly store: MemoryStore
  readonly model = new PuppetProvider()
  readonly chat: Chat
  readonly groups = new FakeGroups()
  readonly sockets: FakeSocket[] = []
  readonly logged: { readonly level: string; readonly event: string; readonly cause?: unknown }[] = []
  readonly counted: { readonly metric: string; readonly label: string | undefined }[] = []
  readonly observed: { readonly metric: string; readonly value: number }[] = []
  /** What metrics would show now. */
  readonly gauges = new Map<string, () => number>()
  /** Places that are held now, as long as the test takes no part in it. */
  readonly held = { runs: 0, connections: 0 }
  /** Tokens of runs that ended. */
  readonly spent: { readonly app: string; readonly tokens: number }[] = []
  /** What the Apps port gives; undefined: the App was removed. */
  app: App | undefined
  readonly #options: RigOptions
  readonly #onRevoked: ((keyIds: ReadonlySet<string>) => void)[] = []
  readonly #revoked = new Set<string>()
  #finished = false

  constructor(options: RigOptions = {}) {
    this.#options = options
    this.store = options.store ?? createMemoryStore()
    this.app = { ...TEST_APP, ...options.app }
    const settings = { ...DEFAULT_SETTINGS, titles: false, ...options.settings }
    const tools = options.tools ?? [ECHO, FAIL]
    this.chat = new Chat({
      store: this.store,
      log: new MemoryEventLog({ ...settings.log, ...options.log }),
      providers: this.model,
      tools: {
        resolve: (app) =>
          tools.filter((tool) => app.tools.some((one) => one.kind === 'server' && one.name === tool.spec.name)),
        listed: options.listed ?? (async () => []),
      },
      apps: { get: async (id) => (id === this.app?.id ? this.app : undefined), peek: () => undefined },
      access: this.#access(),
      telemetry: this.#telemetry(),
      settings,
      broadcast: (group, text) => this.groups.broadcast(group, text),
      now: Date.now,
    })
    onTestFinished(() => this.finish())
  }

  /** The same store, another process; this one goes on. */
  fork(options: RigOptions = {}): ChatRig {
    return new ChatRig({ ...this.#options, ...options, store: this.store.fork() })
  }

  /** This process dies without a word; the next one opens its store. */
  crash(options: RigOptions = {}): ChatRig {
    this.store.hold()
    this.store.die()
    return this.fork(options)
  }

  handshake(sessionId: string | undefined, { cursor, headers = {}, query }: Peer = {}): Promise<HandshakeVerdict> {
    const session = sessionId === undefined ? '' : `, parley.session.${sessionId}`
    const all: Record<string, string> = { 'sec-websocket-protocol': `parley.v1${session}`, ...headers }
    return this.chat.handshake({
      path: '/ws',
      query: query ?? `app=default${cursor === undefined ? '' : `&cursor=${cursor}`}`,
      header: (name) => all[name],
      address: '127.0.0.1',
      secure: false,
    })
  }

  /** Opens the socket of an accepted handshake; the socket's peer is the test. */
  open(verdict: HandshakeVerdict, prepare: (socket: FakeSocket) => void = () => {}): FakeSocket {
    if (!verdict.accept) throw new Error(`refused: ${verdict.refusal.body}`)
    const socket = new FakeSocket(this.groups, verdict.handler)
    this.sockets.push(socket)
    prepare(socket)
    verdict.handler.opened(socket)
    return socket
  }

  async connect(sessionId: string, peer?: Peer): Promise<FakeSocket> {
    return this.open(await this.handshake(sessionId, peer))
  }

  /** Connects and waits until the session is ready. */
  async ready(sessionId: string = randomUUID(), peer?: Peer): Promise<FakeSocket> {
    const socket = await this.connect(sessionId, peer)
    await socket.control('session.ready')
    return socket
  }

  /** Moves the stopped clock; the peers give signs of life. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= PULSE_MS) {
      for (const socket of this.sockets) if (socket.closedWith === undefined) socket.pong()
      await vi.advanceTimersByTimeAsync(Math.min(left, PULSE_MS))
      await turns()
    }
  }

  revoke(keyId: string): void {
    this.#revoked.add(keyId)
    for (const listener of this.#onRevoked) listener(new Set([keyId]))
  }

  /** The conversation as the store has it. */
  async stored(sessionId: string): Promise<readonly MessageRow[]> {
    const page = await this.store.history(sessionId, { maxMessages: 10_000, maxBytes: Number.MAX_SAFE_INTEGER })
    return page.messages
  }

  /** The newest durable row of each run, in the order of their first write. */
  runRows(sessionId: string): RunRow[] {
    const rows = this.store.commits.filter((write) => write.sessionId === sessionId).flatMap(({ runs = [] }) => runs)
    return [...new Map(rows.map((row) => [row.id, row])).values()]
  }

  /** Lets go of timers, and throws when a rule was seen broken. For those who make many; else the test's end does it. */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    // What is still on ends behind the test.
    void this.chat.drain(0)
    const faults = [...this.sockets.flatMap(({ audit }) => audit.faults), ...this.model.faults]
    if (faults.length > 0) throw new Error(`rules that this test saw broken:\n${faults.join('\n')}`)
  }

  #takeRun(): () => void {
    this.held.runs++
    let isHeld = true
    return () => {
      if (isHeld) this.held.runs--
      isHeld = false
    }
  }

  #telemetry(): Telemetry {
    return {
      log: (level, event, _fields, cause) => void this.logged.push({ level, event, cause }),
      count: (metric, _by, label) => void this.counted.push({ metric, label }),
      observe: (metric, value) => void this.observed.push({ metric, value }),
      gauge: (metric, read) => void this.gauges.set(metric, read),
    }
  }

  #access(): Access {
    const { identify, charge, standing, admitRun, takeRun, admitGuest } = this.#options
    const { admitConnection = () => {}, leaveConnection = () => {} } = this.#options
    return {
      identify: identify ?? (async () => ANYONE),
      authenticate: () => Promise.reject(new ParleyError('unauthorized')),
      mintTicket: () => Promise.reject(new ParleyError('unauthorized')),
      reconnectToken: async ({ session }) => session && `back to ${session}`,
      holder: () => ANYONE,
      appsOf: async () => ['default'],
      require: ({ keyId, scopes }, scope) => {
        if (keyId !== undefined && this.#revoked.has(keyId)) throw new ParleyError('unauthorized')
        if (!scopes.includes(scope)) throw new ParleyError('forbidden')
      },
      addressOf: ({ address }) => ({ address, forwarded: false }),
      charge: charge ?? (async () => {}),
      standing: standing ?? (async () => undefined),
      takeRun: takeRun ?? (async () => this.#takeRun()),
      spent: (app, tokens) => void this.spent.push({ app, tokens }),
      admitGuest: admitGuest ?? (() => void this.held.connections++),
      leaveGuest: () => void this.held.connections--,
      admitChange: async () => {},
      admitRun: admitRun ?? (async () => () => {}),
      admitConnection,
      leaveConnection,
      onRevoked: (listener) => void this.#onRevoked.push(listener),
    }
  }
}
