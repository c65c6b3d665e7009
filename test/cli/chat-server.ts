import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as v from 'valibot'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Command, CommandSchema } from '../../src/protocol/commands.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { ControlFrame, SessionReady } from '../../src/protocol/frames.ts'

export const SESSION = '550e8400-e29b-41d4-a716-446655440000'
export const RUN = 'run-1'

export const READY: SessionReady = {
  type: 'session.ready',
  protocolVersion: 'parley.v1',
  sessionId: SESSION,
  app: 'default',
  epoch: 'e',
  seq: 0,
  status: 'idle',
  resumed: 'new',
  model: 'scripted/demo',
  models: ['scripted/demo'],
  queue: [],
  pending: [],
  heartbeatMs: 25_000,
  limits: { frameBytes: 65_536, messageBytes: 32_768, queuedSends: 10, pageMessages: 100 },
}

/** One connection as the test plays the server's side. */
export class ServerSide {
  readonly request: IncomingMessage
  readonly #socket: WebSocket
  readonly #commands: Command[] = []
  #waiting: ((command: Command) => void)[] = []

  constructor(socket: WebSocket, request: IncomingMessage) {
    this.#socket = socket
    this.request = request
    socket.on('message', (data) => {
      const command = v.parse(CommandSchema, JSON.parse(Buffer.isBuffer(data) ? data.toString() : ''))
      const next = this.#waiting.shift()
      if (next === undefined) this.#commands.push(command)
      else next(command)
    })
  }

  get query(): URLSearchParams {
    return new URL(this.request.url ?? '', 'http://x').searchParams
  }

  ready(over: Partial<SessionReady> = {}): void {
    this.say({ ...READY, ...over })
  }

  say(frame: ControlFrame): void {
    this.raw(JSON.stringify(frame))
  }

  event(chunk: Event, seq?: number): void {
    this.raw(JSON.stringify(seq === undefined ? { chunk } : { id: `e-${seq}`, chunk }))
  }

  raw(text: string): void {
    this.#socket.send(text)
  }

  status(status: 'idle' | 'processing' | 'interrupted'): void {
    this.say({ type: 'session.status', status, queued: 0, queue: [], pending: [] })
  }

  /** The next command of the client. */
  heard(): Promise<Command> {
    const first = this.#commands.shift()
    return first === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(first)
  }

  close(code: number): void {
    this.#socket.close(code)
  }

  cut(): void {
    this.#socket.terminate()
  }
}

/** Accepts chats one after the other; `refuse` answers the handshake over HTTP instead. */
export class ChatServer {
  readonly #http: Server = createServer()
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'parley.v1' })
  readonly #arrived: ServerSide[] = []
  #waiting: ((side: ServerSide) => void)[] = []
  refusal: { status: number; body: string } | undefined
  url = ''

  async listen(): Promise<void> {
    this.#http.on('upgrade', (request, socket, head) => {
      if (this.refusal !== undefined) {
        const { status, body } = this.refusal
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`)
        return
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) =>
        this.#arrive(new ServerSide(webSocket, request)),
      )
    })
    this.#http.listen(0, '127.0.0.1')
    await once(this.#http, 'listening')
    this.url = `ws://127.0.0.1:${portOf(this.#http.address())}`
  }

  accepted(): Promise<ServerSide> {
    const first = this.#arrived.shift()
    return first === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(first)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate()
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }

  #arrive(side: ServerSide): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#arrived.push(side)
    else next(side)
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('does not listen')
  return address.port
}
