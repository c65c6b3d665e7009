import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** The sample key of RFC 6455 1.3. */
const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const MASK = Buffer.from([1, 2, 3, 4])
const SHORT = 125
const MEDIUM = 126
const MAX_MEDIUM = 0xffff
const LONG = 127

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

type FrameOptions = {
  readonly fin?: boolean
  readonly masked?: boolean
  readonly opcode?: number
  readonly length?: number
}

/** A client's frame, also such as no client should send. `length` lies about the payload's. */
export function clientFrame(payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { fin = true, masked = true, opcode = OPCODE.text } = options
  const bytes = Buffer.from(payload)
  const length = options.length ?? bytes.length
  const short = length <= SHORT ? length : length <= MAX_MEDIUM ? MEDIUM : LONG
  const head = [(fin ? 0x80 : 0) | opcode, (masked ? 0x80 : 0) | short]
  const size = Buffer.alloc(short === MEDIUM ? 2 : short === LONG ? 8 : 0)
  if (short === MEDIUM) size.writeUInt16BE(length)
  if (short === LONG) size.writeBigUInt64BE(BigInt(length))
  if (!masked) return Buffer.concat([Buffer.from(head), size, bytes])
  const hidden = bytes.map((byte, at) => byte ^ (MASK[at % MASK.length] ?? 0))
  return Buffer.concat([Buffer.from(head), size, MASK, hidden])
}

/** A TCP client that says exactly what it is told, and nothing by itself: no pong, no answer to a close frame. */
export class RawPeer {
  readonly socket: Socket
  /** Resolves at the server's FIN. */
  readonly ended: Promise<void>
  readonly closed: Promise<void>
  #received = Buffer.alloc(0)
  #wake: () => void = () => undefined
  #over = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    // A reset is what some tests wait for; 'close' follows.
    socket.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      socket.once('end', resolve)
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', resolve)
    })
    for (const event of ['end', 'close']) {
      socket.once(event, () => {
        this.#over = true
        this.#wake()
      })
    }
  }

  static async connect(port: number): Promise<RawPeer> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawPeer(socket)
  }

  /** Connects and shakes hands. */
  static async open(port: number, path = '/ws'): Promise<RawPeer> {
    const peer = await RawPeer.connect(port)
    peer.write(handshake(path))
    const head = await peer.until('\r\n\r\n')
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${head}`)
    return peer
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes)
  }

  frame(payload: string | Buffer, options: FrameOptions = {}): void {
    this.write(clientFrame(payload, options))
  }

  /** Takes what arrives up to and with `end`. */
  async until(end: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(end)
      if (at >= 0) return this.#take(at + end.length).toString('latin1')
      await this.#more()
    }
  }

  async bytes(count: number): Promise<Buffer> {
    while (this.#received.length < count) await this.#more()
    return this.#take(count)
  }

  /** All that still comes, when the connection has ended. */
  async rest(): Promise<Buffer> {
    while (!this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#received
  }

  /** The next frame of the server, a short one. */
  async serverFrame(): Promise<{ readonly opcode: number; readonly payload: Buffer }> {
    const head = await this.bytes(2)
    const payload = await this.bytes((head[1] ?? 0) & 0x7f)
    return { opcode: (head[0] ?? 0) & 0x0f, payload }
  }

  /** The code of the close frame that comes, past other frames. */
  async closeCode(): Promise<number> {
    for (;;) {
      const frame = await this.serverFrame()
      if (frame.opcode === OPCODE.close) return frame.payload.readUInt16BE(0)
    }
  }

  #take(count: number): Buffer {
    const taken = this.#received.subarray(0, count)
    this.#received = this.#received.subarray(count)
    return taken
  }

  async #more(): Promise<void> {
    if (this.#over) throw new Error(`the connection ended after: ${this.#received.toString('latin1')}`)
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}

export function handshake(path: string, headers: Record<string, string> = {}): string {
  const all = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** So many small header lines, each of a name of its own. */
export function headers(count: number): string {
  return Array.from({ length: count }, (_, at) => `a${at}: \r\n`).join('')
}
