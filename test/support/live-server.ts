import { randomUUID } from 'node:crypto'
import type { AccessSettings } from '../../src/access/access.ts'
import type { ChatSettings } from '../../src/chat/settings.ts'
import { DEFAULT_SETTINGS } from '../../src/chat/settings.ts'
import type { Provider } from '../../src/ports/provider.ts'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { decodeServerFrame } from '../../src/protocol/codec.ts'
import type { CommandInput } from '../../src/protocol/commands.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { ControlFrame, Envelope } from '../../src/protocol/frames.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { createProviders } from '../../src/providers/registry.ts'
import { createScripted } from '../../src/providers/scripted.ts'
import { createServer, type Server } from '../../src/server.ts'
import type { Connection } from '../../src/storage/connection.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { BUILTIN_TOOLS } from '../../src/tools/builtin.ts'
import type { MakeHttpTool } from '../../src/tools/registry.ts'
import { chooseTransport } from '../../src/transports/choose.ts'
import { ACCESS } from './access-settings.ts'
import { SocketClient } from './socket-client.ts'
import type { TransportName } from './transports.ts'

export type LiveOptions = {
  /** `auto`: uws where it is there. */
  readonly transport: TransportName | 'auto'
  readonly database: Connection
  /** Default: the scripted model, as fast as it can, counting at its own pace. */
  readonly providers?: readonly Provider[]
  readonly model?: string
  readonly fallbacks?: readonly string[]
  readonly chat?: Partial<ChatSettings>
  readonly walletList?: boolean
  readonly access?: Partial<AccessSettings>
  readonly retentionMs?: number
  /** Default: nothing is heard of it. */
  readonly telemetry?: Telemetry
  readonly origins?: readonly string[]
  /** Default: Apps have no tools of their own. */
  readonly httpTool?: MakeHttpTool
}

const SILENT: Telemetry = { log: () => {}, count: () => {}, observe: () => {}, gauge: () => {} }
const HOUR_MS = 3_600_000
const HOST = '127.0.0.1'
const DAY_MS = 86_400_000

/** The whole server in this process: a real transport, a real Postgres, real sockets. */
export class LiveServer {
  readonly port: number
  readonly store: PostgresStorage
  readonly #server: Server

  private constructor(port: number, server: Server, store: PostgresStorage) {
    this.port = port
    this.#server = server
    this.store = store
  }

  static async start(options: LiveOptions): Promise<LiveServer> {
    const transport = await chooseTransport(options.transport)
    const { telemetry = SILENT } = options
    const store = await openPostgres({ connection: options.database, telemetry })
    const server = createServer({
      store,
      administration: { reads: store, auditKeepMs: DAY_MS },
      privacy: { store, retentionMs: options.retentionMs ?? HOUR_MS },
      providers: createProviders(options.providers ?? [createScripted({ tokensPerSecond: 2000 })]),
      tools: BUILTIN_TOOLS,
      ...(options.httpTool === undefined ? {} : { httpTool: options.httpTool }),
      telemetry,
      metricsText: async () => '',
      transport: (handlers) => transport.create(handlers, TRANSPORT_OPTIONS, telemetry),
      assets: '/nonexistent',
      settings: {
        host: HOST,
        origins: options.origins ?? [],
        metricsPublic: false,
        walletList: options.walletList ?? false,
        access: { ...ACCESS, ...options.access },
        chat: { ...DEFAULT_SETTINGS, titles: false, ...options.chat },
        models: {
          default: options.model ?? 'scripted/demo',
          others: [],
          fallbacks: options.fallbacks ?? [],
          outputTokens: 8192,
          contextTokens: 100_000,
        },
      },
    })
    return new LiveServer(await server.listen(0), server, store)
  }

  connect(sessionId: string = randomUUID(), cursor?: string): Promise<LiveClient> {
    return LiveClient.connect(this.port, sessionId, cursor)
  }

  async close(drainMs = 0): Promise<void> {
    await this.#server.close(drainMs)
    await this.store.close()
  }
}

const MIB = 1024 * 1024
const TRANSPORT_OPTIONS = {
  webSocketPath: '/ws',
  maxReadableFrameBytes: MIB,
  maxBufferedBytes: 2 * MIB,
  handshakeTimeoutMs: 10_000,
  maxHeaderBytes: 256 * 1024,
  maxBodyBytes: MIB,
}

type Frame = ControlFrame | Envelope

const CONNECT_TRIES = 3

/** A client of parley.v1 over a real socket that remembers every frame. */
export class LiveClient {
  readonly frames: Frame[] = []
  readonly socket: SocketClient
  #read = 0

  private constructor(socket: SocketClient) {
    this.socket = socket
  }

  /** Resolves once the session is ready; its frames are still to be read. */
  static async connect(port: number, sessionId: string, cursor?: string): Promise<LiveClient> {
    const query = cursor === undefined ? '' : `&cursor=${cursor}`
    const url = `ws://${HOST}:${port}/ws?app=default${query}`
    for (let tries = 1; ; tries++) {
      const client = new LiveClient(await SocketClient.connect(url, { protocols: offerProtocols(sessionId) }))
      const ready = await client.control('session.ready').catch((thrown: unknown) => thrown)
      client.#read = 0
      // uWebSockets.js now and then cuts a new socket (see #open in src/transports/uws.ts); clients come back.
      if (!(ready instanceof Error) || tries === CONNECT_TRIES || client.frames.length > 0) return client
    }
  }

  send(command: CommandInput): void {
    this.socket.sendJson(command)
  }

  /** Reads on until a frame matches; gives it. Frames before it are in `frames`. */
  async until<F extends Frame>(matches: (frame: Frame) => frame is F): Promise<F> {
    while (true) {
      const frame = this.frames[this.#read] ?? (await this.#next())
      this.#read++
      if (matches(frame)) return frame
    }
  }

  control<T extends ControlFrame['type']>(type: T): Promise<Extract<ControlFrame, { type: T }>> {
    return this.until((frame): frame is Extract<ControlFrame, { type: T }> => 'type' in frame && frame.type === type)
  }

  event<T extends Event['type']>(type: T): Promise<Envelope & { chunk: Extract<Event, { type: T }> }> {
    return this.until(
      (frame): frame is Envelope & { chunk: Extract<Event, { type: T }> } =>
        'chunk' in frame && frame.chunk.type === type,
    )
  }

  /** Sends a message and reads to the end of the run that answers it. */
  async ask(content: string): Promise<void> {
    this.send({ type: 'message.send', clientMessageId: randomUUID(), content })
    await this.end()
  }

  async end(): Promise<void> {
    await this.until(
      (frame): frame is Frame => 'chunk' in frame && ['RUN_FINISHED', 'RUN_ERROR'].includes(frame.chunk.type),
    )
  }

  get events(): Event[] {
    return this.frames.flatMap((frame) => ('chunk' in frame ? [frame.chunk] : []))
  }

  /** The position after the last numbered event. */
  get cursor(): string | undefined {
    return this.frames.flatMap((frame) => ('chunk' in frame && frame.id !== undefined ? [frame.id] : [])).at(-1)
  }

  async leave(): Promise<void> {
    await this.socket.close()
  }

  async #next(): Promise<Frame> {
    const text = await this.socket.next()
    const frame = decodeServerFrame(text)
    if (frame === undefined) throw new Error(`not a frame of the protocol: ${text}`)
    this.frames.push(frame)
    return frame
  }
}
