import { randomUUID } from 'node:crypto'
import { ChatClient, type UIMessage, webSocket } from '@tanstack/ai-client'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket } from 'ws'
import { type ChatSettings, DEFAULT_SETTINGS } from '../../src/chat/settings.ts'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import type { Transport, TransportHandlers, TransportOptions } from '../../src/ports/transport.ts'
import { createProviders } from '../../src/providers/registry.ts'
import { createScripted } from '../../src/providers/scripted.ts'
import { createServer } from '../../src/server.ts'
import { BUILTIN_TOOLS } from '../../src/tools/builtin.ts'
import { chooseTransport } from '../../src/transports/choose.ts'
import { ACCESS } from '../support/access-settings.ts'
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts'
import { TRANSPORTS, type TransportName } from '../support/transports.ts'

type Connection = ReturnType<typeof webSocket>
type StreamChunk = ReturnType<Connection['joinRun']> extends AsyncIterable<infer Chunk> ? Chunk : never

const SILENT: Telemetry = { log: () => {}, count: () => {}, observe: () => {}, gauge: () => {} }
const HOST = '127.0.0.1'
const MIB = 1024 * 1024
const TRANSPORT_OPTIONS: TransportOptions = {
  webSocketPath: '/ws',
  maxReadableFrameBytes: MIB,
  maxBufferedBytes: 2 * MIB,
  handshakeTimeoutMs: 10_000,
  maxHeaderBytes: 64 * 1024,
  maxBodyBytes: MIB,
}

async function serve(name: TransportName, store: MemoryStore, chat: Partial<ChatSettings> = {}): Promise<number> {
  const chosen = await chooseTransport(name)
  const server = createServer({
    store,
    providers: createProviders([createScripted({ tokensPerSecond: 2000 })]),
    tools: BUILTIN_TOOLS,
    telemetry: SILENT,
    metricsText: async () => '',
    transport: (handlers: TransportHandlers): Transport => chosen.create(handlers, TRANSPORT_OPTIONS, SILENT),
    assets: '/nonexistent',
    settings: {
      host: HOST,
      origins: [],
      metricsPublic: false,
      walletList: false,
      access: { ...ACCESS, runsPerMinute: 1000, runsAtOnce: 100 },
      chat: { ...DEFAULT_SETTINGS, titles: false, ...chat },
      models: { default: 'scripted/demo', others: [], outputTokens: 8192, contextTokens: 100_000 },
    },
  })
  onTestFinished(() => server.close(0))
  return server.listen(0)
}

/** One user's page: the unmodified client, its sockets so that the test can cut them, and all that reaches it. */
class Page {
  readonly sockets: WebSocket[] = []
  readonly chunks: StreamChunk[] = []
  readonly errors: string[] = []
  readonly client: ChatClient
  readonly connection: Connection
  readonly session: string
  /** Frames from all its sockets; none of these tests lasts until a ping. */
  #received = 0
  /** Where the next socket goes. */
  port: number

  constructor(port: number, session: string, protocols?: string[]) {
    this.port = port
    this.session = session
    const { sockets } = this
    const received = (): void => void this.#received++
    // Node 20 has no WebSocket of its own.
    vi.stubGlobal(
      'WebSocket',
      class extends WebSocket {
        constructor(url: string, offered?: string[]) {
          super(url, offered)
          sockets.push(this)
          this.on('message', received)
        }
      },
    )
    this.connection = webSocket(() => `ws://${HOST}:${this.port}/ws?session=${session}`, {
      reconnect: { delayMs: 5 },
      ...(protocols === undefined ? {} : { protocols }),
    })
    this.client = new ChatClient({
      connection: this.connection,
      threadId: session,
      onChunk: (chunk) => void this.chunks.push(chunk),
      onError: (error) => void this.errors.push(error.message),
    })
    onTestFinished(() => {
      this.client.unsubscribe()
      for (const socket of sockets) socket.terminate()
    })
  }

  get messages(): readonly UIMessage[] {
    return this.client.getMessages()
  }

  /** What each message says, by role. */
  get texts(): string[] {
    return this.messages.map(({ role, parts }) => {
      const text = parts.map((part) => (part.type === 'text' ? part.content : '')).join('')
      return `${role}: ${text}`
    })
  }

  /** Resolves once all that the server sent before is shown. */
  async caughtUp(): Promise<void> {
    const socket = this.sockets.at(-1)
    const ponged = new Promise((resolve) => socket?.once('pong', resolve))
    socket?.ping()
    await ponged
    await vi.waitUntil(() => this.chunks.length === this.#received)
  }

  /** Resolves once the last answer holds `text`. */
  async shows(text: string): Promise<void> {
    await vi.waitUntil(() => this.texts.at(-1)?.includes(text), { timeout: 5000, interval: 2 })
  }
}

/** What became of runs, in the order of their writes. */
function statuses(store: MemoryStore): string[] {
  return store.commits.flatMap(({ runs = [] }) => runs).map(({ status }) => status)
}

/** The numbers that a counting answer has said so far. */
function counted(page: Page): number[] {
  const [, numbers = ''] = (page.texts.at(-1) ?? '').split('assistant: ')
  return numbers.split(' ').map(Number)
}

function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}

describe.each(TRANSPORTS)("TanStack AI's client over %s", (transport) => {
  async function open(protocols?: string[]) {
    const store = createMemoryStore()
    const port = await serve(transport, store, { checkpointMs: 20 })
    return { store, port, page: new Page(port, randomUUID(), protocols) }
  }

  it('sends, and streams text, turn after turn over one socket', async () => {
    const { page } = await open()
    await page.client.sendMessage('hello')
    expect(page.texts[1]).toMatch(/^assistant: Hello! I am the scripted demo/)
    await page.client.sendMessage('remember the number 42')
    await page.client.sendMessage('what number did I ask you to remember?')
    expect(page.texts.at(-1)).toBe('assistant: You asked me to remember the number 42.')
    expect(page.texts).toHaveLength(6)
    expect(page.sockets).toHaveLength(1)
    expect(page.client.getStatus()).toBe('ready')
    expect(page.errors).toEqual([])
  })

  it('gets nothing but AG-UI events', async () => {
    const { page, port } = await open()
    const other = new Page(port, page.session)
    await page.client.sendMessage('hello')
    await other.client.sendMessage('hello again')
    for (const { chunks } of [page, other]) {
      expect(chunks.length).toBeGreaterThan(3)
      expect(chunks.filter(({ type }) => !/^[A-Z_]+$/.test(type))).toEqual([])
    }
    expect(page.texts).toHaveLength(2)
  })

  it('shows tool calls with their results, and reasoning', async () => {
    const { page } = await open()
    await page.client.sendMessage('calculate 2+2 and 3*7')
    const parts = page.messages.flatMap((message) => message.parts)
    const calls = parts.filter((part) => part.type === 'tool-call')
    expect(calls).toMatchObject([
      { name: 'calculator', state: 'complete', output: 4 },
      { name: 'calculator', state: 'complete', output: 21 },
    ])
    expect(parts.filter((part) => part.type === 'tool-result')).toHaveLength(2)
    expect(page.texts.at(-1)).toContain('21')
    await page.client.sendMessage('think about rain')
    expect(page.messages.at(-2)?.parts.concat(page.messages.at(-1)?.parts ?? [])).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ type: 'thinking' })]),
    )
    expect(page.errors).toEqual([])
  })

  it('shows an error of the model as an error of the run, and goes on', async () => {
    const { page } = await open()
    await page.client.sendMessage('fail')
    expect(page.client.getStatus()).toBe('error')
    expect(page.errors).toEqual(['The model could not answer'])
    await page.client.sendMessage('hello')
    expect(page.client.getStatus()).toBe('ready')
    expect(page.texts.at(-1)).toContain('Hello!')
  })

  it('shows a refusal as an error of the run, and goes on', async () => {
    const { page } = await open()
    await page.client.sendMessage('x'.repeat(40_000))
    expect(page.errors).toEqual(['The message is too long'])
    await page.client.sendMessage('hello')
    expect(page.texts.at(-1)).toContain('Hello!')
  })

  /** The default App with this calculator in the place of the server's; its call. */
  async function openWith(calculator: object) {
    const opened = await open()
    const definition = {
      id: 'default',
      name: 'D',
      preamble: '',
      model: { default: 'scripted/demo' },
      tools: [calculator],
    }
    await opened.store.putApp({ id: 'default', definition, updatedAt: 1 })
    const { page } = opened
    await page.client.sendMessage('calculate 2+2')
    const call = page.messages.flatMap(({ parts }) => parts).find((part) => part.type === 'tool-call')
    expect(call).toMatchObject({ name: 'calculator' })
    return { ...opened, callId: call?.type === 'tool-call' ? call.id : '' }
  }

  it('P-102: gives what a tool of the page gave, and the run goes on from it', async () => {
    const { page, callId, store } = await openWith({ type: 'client', name: 'calculator', description: 'Adds' })
    await page.client.addToolResult({ toolCallId: callId, tool: 'calculator', output: 'the page says 4' })
    await page.shows('the page says 4')
    expect([page.errors, statuses(store).at(-1), page.client.getStatus()]).toEqual([[], 'finished', 'ready'])
  })

  it.each([true, false])('P-102: gives what a person said to a call that asks first (%j)', async (approved) => {
    const { page, callId, store } = await openWith({ type: 'builtin', name: 'calculator', approval: 'ask' })
    const answer = { interruptId: callId, status: 'resolved', payload: { approved } } as const
    expect(await page.client.resumeInterruptsUnsafe([answer])).toBe(true)
    const results = page.chunks.flatMap((chunk) => ('toolCallId' in chunk && 'content' in chunk ? [chunk.content] : []))
    expect(results).toEqual([approved ? '4' : 'The person declined this call; it was not made.'])
    expect([page.errors, statuses(store).at(-1)]).toEqual([[], 'finished'])
  })

  it('stops an answer on the server, and is ready for the next turn at once', async () => {
    const { page, store } = await open()
    const sent = page.client.sendMessage('count from 1 to 5000')
    await page.shows('1 2 3')
    page.client.stop()
    await sent
    await page.client.sendMessage('hello')
    expect(page.texts.at(-1)).toContain('Hello!')
    expect(page.client.getStatus()).toBe('ready')
    expect(statuses(store)).toEqual(expect.arrayContaining(['cancelled', 'finished']))
    expect(page.errors).toEqual([])
  })

  it('reloads the last answer, whole or stopped in the middle', async () => {
    const { page, store } = await open()
    await page.client.sendMessage('hello')
    await page.client.reload()
    expect(page.texts).toEqual(['user: hello', expect.stringContaining('Hello!')])
    const counting = page.client.sendMessage('count from 1 to 60')
    await page.shows('1 2 3')
    page.client.stop()
    await counting
    // What was on its way would be taken into the next answer by this client.
    await vi.waitUntil(() => statuses(store).includes('cancelled'))
    await page.caughtUp()
    await page.client.reload()
    expect(counted(page)).toEqual(oneTo(60))
    expect(page.texts).toHaveLength(4)
    expect(page.errors).toEqual([])
  })

  it('resumes after a cut: nothing is lost and nothing doubled', async () => {
    const { page } = await open()
    const sent = page.client.sendMessage('count from 1 to 120')
    for (const seen of ['1 2 3', ' 40', ' 80']) {
      await page.shows(seen)
      page.sockets.at(-1)?.terminate()
    }
    await sent
    expect(counted(page)).toEqual(oneTo(120))
    expect(page.sockets.length).toBeGreaterThan(1)
    await page.client.sendMessage('hello')
    expect(page.texts.at(-1)).toContain('Hello!')
    expect(page.errors).toEqual([])
  })

  it('learns from the next process how a run ended whose process died', async () => {
    const { page, store } = await open()
    const sent = page.client.sendMessage('count from 1 to 5000')
    await expect.poll(() => store.commits.at(-1)?.messages?.at(-1)?.content).toContain('1 2 3')
    store.hold()
    store.die()
    page.port = await serve(transport, store.fork())
    page.sockets.at(-1)?.terminate()
    await sent
    const numbers = counted(page)
    expect(numbers).toEqual(oneTo(numbers.length))
    expect(page.client.getStatus()).toBe('ready')
    await page.client.sendMessage('hello')
    expect(page.texts.at(-1)).toContain('Hello!')
    expect(page.errors).toEqual([])
    store.release()
  })

  it('joins a run from its start', async () => {
    const { page, port } = await open()
    const sent = page.client.sendMessage('count from 1 to 60')
    await page.shows('1 2 3')
    const runId = page.client.getCurrentRunId() ?? ''
    const other = new Page(port, page.session)
    const chunks = await readAll(other.connection.joinRun(runId))
    const text = chunks.map((chunk) => ('delta' in chunk ? chunk.delta : '')).join('')
    expect(text.split(' ').map(Number)).toEqual(oneTo(60))
    await sent
    await expect(readAll(other.connection.joinRun('run-unknown'))).rejects.toThrow('Stream response body read failed')
  })

  it('comes with the subprotocols of the other wire, as browsers must, and learns why it is refused', async () => {
    const { page, port } = await open(['parley.v1'])
    await page.client.sendMessage('hello')
    expect(page.texts.at(-1)).toContain('Hello!')
    expect(page.sockets[0]?.protocol).toBe('parley.v1')
    const refused = new Page(port, page.session, ['parley.v1', 'parley.key.pk_live_nobody'])
    await refused.client.sendMessage('hello')
    expect(refused.errors[0]).toBe('Invalid or missing API key')
    expect(refused.client.getStatus()).toBe('error')
  })
})

async function readAll(chunks: AsyncIterable<StreamChunk>): Promise<StreamChunk[]> {
  const read: StreamChunk[] = []
  for await (const chunk of chunks) read.push(chunk)
  return read
}
