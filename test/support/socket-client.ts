import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'

export type CloseInfo = { readonly code: number; readonly reason: string }
export type ConnectOptions = {
  readonly headers?: Readonly<Record<string, string>>
  readonly protocols?: string[]
  readonly ca?: string
}

/** The server answered the handshake with plain HTTP. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused'
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string

  constructor(status: number, headers: IncomingMessage['headers'], body: string) {
    super(`handshake refused: ${status} ${body}`)
    this.status = status
    this.headers = headers
    this.body = body
  }
}

type Waiter = { readonly resolve: (frame: string) => void; readonly reject: (error: Error) => void }

/** A WebSocket client for tests: frames queue until they are asked for, in order, and nothing sleeps. */
export class SocketClient {
  /** Every text frame so far, also those that were asked for. */
  readonly frames: string[] = []
  readonly closed: Promise<CloseInfo>
  readonly #ws: WebSocket
  readonly #waiters: Waiter[] = []
  #taken = 0
  #end: CloseInfo | undefined

  private constructor(ws: WebSocket) {
    this.#ws = ws
    ws.on('message', (data, isBinary) => {
      // The binary type is never changed, so it is a Buffer.
      if (!isBinary && Buffer.isBuffer(data)) this.#arrive(data.toString())
    })
    // What is wrong is in the close code; without a listener it would fail the run.
    ws.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        this.#end = { code, reason: reason.toString() }
        for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#ended())
        resolve(this.#end)
      })
    })
  }

  /** @throws HandshakeRefused when the server answers with plain HTTP */
  static connect(url: string, { headers = {}, protocols = [], ca }: ConnectOptions = {}): Promise<SocketClient> {
    const ws = new WebSocket(url, protocols, { headers, perMessageDeflate: false, ca })
    const client = new SocketClient(ws)
    return new Promise((resolve, reject) => {
      ws.once('open', () => resolve(client))
      ws.once('error', reject)
      ws.once('unexpected-response', (_request, response) => {
        readBody(response).then(
          (body) => reject(new HandshakeRefused(response.statusCode ?? 0, response.headers, body)),
          reject,
        )
      })
    })
  }

  /** The protocol that the server selected; empty when none. */
  get protocol(): string {
    return this.#ws.protocol
  }

  /** Bytes that wait to leave. */
  get buffered(): number {
    return this.#ws.bufferedAmount
  }

  send(frame: string): void {
    this.#ws.send(frame)
  }

  sendJson(frame: unknown): void {
    this.#ws.send(JSON.stringify(frame))
  }

  sendBinary(bytes: Uint8Array): void {
    this.#ws.send(bytes)
  }

  ping(): void {
    this.#ws.ping()
  }

  /** Resolves at the next protocol ping or pong of the server. */
  control(kind: 'ping' | 'pong'): Promise<void> {
    return new Promise((resolve) => {
      this.#ws.once(kind, () => resolve())
    })
  }

  /** The next frame that was not asked for yet. */
  next(): Promise<string> {
    const frame = this.frames[this.#taken]
    if (frame !== undefined) {
      this.#taken++
      return Promise.resolve(frame)
    }
    if (this.#end !== undefined) return Promise.reject(this.#ended())
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
    })
  }

  /** The last frame that was asked for counts as not asked for. */
  giveBack(): void {
    this.#taken = Math.max(0, this.#taken - 1)
  }

  async nextJson(): Promise<unknown> {
    return JSON.parse(await this.next())
  }

  /** Takes frames up to and with the first that matches, and gives that one. */
  async until(matches: (frame: string) => boolean): Promise<string> {
    for (;;) {
      const frame = await this.next()
      if (matches(frame)) return frame
    }
  }

  async take(count: number): Promise<string[]> {
    const taken: string[] = []
    while (taken.length < count) taken.push(await this.next())
    return taken
  }

  /** Stops reading: what the server sends fills the buffers in between. */
  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  close(code?: number, reason?: string): Promise<CloseInfo> {
    this.#ws.close(code, reason)
    return this.closed
  }

  /** Ends the connection without a close frame. */
  terminate(): void {
    this.#ws.terminate()
  }

  #arrive(frame: string): void {
    this.frames.push(frame)
    const waiter = this.#waiters.shift()
    if (waiter === undefined) return
    this.#taken++
    waiter.resolve(frame)
  }

  #ended(): Error {
    return new Error(`the socket was closed (${this.#end?.code} ${this.#end?.reason}) while a frame was awaited`)
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk)
  return body
}
