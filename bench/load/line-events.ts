import { connect, type Socket } from 'node:net'
import { EVENT_DIALECTS, type EventDialect } from './event-dialects.ts'
import { EventStream } from './event-stream.ts'
import type { Frame, Line, LineEvents, LineTarget } from './line.ts'

const LOCAL_HOST = '127.0.0.1'
const FINISHED: Frame = { chunk: { type: 'RUN_FINISHED' } }

/**
 * An answer over server-sent events: a POST and its response, on a connection of its own. Before it is asked there is none. To stop
 * is to close it, as a browser does when a fetch is aborted: then nothing can come any more, and nobody acknowledges.
 */
export class EventLine implements Line {
  readonly #target: LineTarget
  readonly #dialect: EventDialect
  readonly #events: LineEvents
  #socket: Socket | undefined

  constructor(target: LineTarget, dialect: keyof typeof EVENT_DIALECTS, events: LineEvents) {
    this.#target = target
    this.#dialect = EVENT_DIALECTS[dialect]
    this.#events = events
  }

  ask(id: string, content: string): void {
    const { host = LOCAL_HOST, port } = this.#target
    const socket = connect({ host, port, noDelay: true })
    this.#socket = socket
    const answer = this.#answer(socket)
    socket.on('connect', () => socket.write(this.#request(this.#dialect.ask(id, content))))
    socket.on('data', (data: Buffer) => {
      try {
        answer.read(data)
      } catch (error) {
        this.#broken(socket, error instanceof Error ? error.message : String(error))
      }
    })
    socket.on('error', ({ message }) => this.#broken(socket, message))
    socket.on('close', () => this.#broken(socket, 'the connection was closed before the end of the answer'))
  }

  stop(): void {
    this.destroy()
    // As any other end: told after whoever asked has gone on.
    queueMicrotask(() => this.#events.frame(FINISHED))
  }

  destroy(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #answer(socket: Socket): EventStream {
    return new EventStream({
      event: (name, data) => {
        if (socket !== this.#socket) return
        const frame = this.#dialect.read(name, data)
        if (frame === undefined) return
        if (frame.chunk?.type === FINISHED.chunk?.type) this.#finish()
        else this.#events.frame(frame)
      },
      end: () => {
        if (socket !== this.#socket) return
        if (this.#dialect.endsWithBody) this.#finish()
        else this.#broken(socket, 'the response ended before the end of the answer')
      },
    })
  }

  #finish(): void {
    this.destroy()
    this.#events.frame(FINISHED)
  }

  /** Of a connection that was left on purpose nothing is said. */
  #broken(socket: Socket, message: string): void {
    if (socket !== this.#socket) return
    this.destroy()
    this.#events.frame({ type: 'error', code: 'answer', message })
  }

  #request(body: unknown): string {
    const { host = LOCAL_HOST, port, path, headers } = this.#target
    const text = JSON.stringify(body)
    const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    return (
      `POST ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n${more.join('')}\r\n${text}`
    )
  }
}
