import { randomBytes } from 'node:crypto'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/**
 * A WebSocket client for load only: text frames, no extensions, no fragmented messages.
 * Hand-made because the load side must not be the bottleneck: `ws` costs several times the CPU per frame.
 */

const OP_CONTINUATION = 0x0
const OP_TEXT = 0x1
const OP_CLOSE = 0x8
const OP_PING = 0x9
const OP_PONG = 0xa
const FIN = 0x80
const MASKED = 0x80
const LENGTH_16 = 126
const LENGTH_64 = 127
const LENGTH_16_MAX = 0xffff
const MASK_BYTES = 4
const EMPTY: Buffer = Buffer.alloc(0)
/** What is read is taken apart at once, so one buffer does for all sockets; Node makes one for each read otherwise. */
const READ: Buffer = Buffer.alloc(64 * 1024)

/** Where to connect from: each address of 127.0.0.0/8 has ports of its own. */
export type Place = { readonly localAddress: string; readonly localPort: number }

export type SocketTarget = Partial<Place> & {
  /** Without one: 127.0.0.1. */
  readonly host?: string
  readonly port: number
  /** TLS. */
  readonly secure?: boolean
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface SocketEvents {
  readonly text: (text: string) => void
  readonly close: (code: number | undefined) => void
}

const LOCAL_HOST = '127.0.0.1'
/** Of a refusal that is not in the server's own form. */
const SHOWN_CHARS = 300

/** The server answered the handshake, with something else than 101. */
export class HandshakeRefused extends Error {
  readonly status: number
  /** What the answer asks for; 0 where it names no time. */
  readonly retryAfterMs: number

  constructor(message: string, status: number, retryAfterMs: number) {
    super(message)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

export class LoadSocket {
  readonly #socket: Socket
  readonly #events: SocketEvents
  #rest: Buffer = EMPTY
  #open = false
  #code: number | undefined

  private constructor(socket: Socket, events: SocketEvents) {
    this.#socket = socket
    this.#events = events
  }

  /** Resolves once the upgrade is answered with 101; rejects with `HandshakeRefused` when the answer is another. */
  static async open(target: SocketTarget, events: SocketEvents): Promise<LoadSocket> {
    const { host = LOCAL_HOST, port, secure = false, localAddress, localPort } = target
    const from = localAddress === undefined || localPort === undefined ? {} : { localAddress, localPort }
    let came: (chunk: Buffer) => void = () => {}
    const callback = (count: number): boolean => {
      came(READ.subarray(0, count))
      return true
    }
    const place = { host, port, noDelay: true, onread: { buffer: READ, callback }, ...from }
    const socket = secure ? connectTls({ ...place, ...(isIP(host) === 0 ? { servername: host } : {}) }) : connect(place)
    const self = new LoadSocket(socket, events)
    return new Promise((resolve, reject) => {
      socket.on(secure ? 'secureConnect' : 'connect', () => socket.write(upgradeRequest(target)))
      came = (chunk) => {
        if (self.#open) self.#read(chunk)
        else self.#answer(Buffer.from(chunk), () => resolve(self), reject)
      }
      socket.on('error', reject)
      socket.on('close', () => {
        if (self.#open) events.close(self.#code)
        else reject(new Error('the server closed the connection before it answered the handshake'))
      })
    })
  }

  send(text: string): void {
    this.#write(OP_TEXT, Buffer.from(text))
  }

  /** Leaves at once, without the closing handshake. */
  destroy(): void {
    this.#socket.destroy()
  }

  #answer(chunk: Buffer, accept: () => void, refuse: (error: Error) => void): void {
    const head = Buffer.concat([this.#rest, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) {
      this.#rest = head
      return
    }
    const status = head.subarray(0, head.indexOf('\r\n')).toString('latin1')
    if (!status.startsWith('HTTP/1.1 101')) {
      const body = head.subarray(end).toString('utf8').trim()
      const [, seconds = '0'] = /^retry-after: *(\d+)/im.exec(head.subarray(0, end).toString('latin1')) ?? []
      const told = status.replace(/^HTTP\/1\.\d /, '')
      refuse(new HandshakeRefused(`${told}: ${verdictIn(body)}`, Number.parseInt(told, 10), Number(seconds) * 1000))
      this.#socket.destroy()
      return
    }
    this.#open = true
    this.#rest = EMPTY
    accept()
    // After the owner's continuation: frames may ride in the segment of the 101.
    if (head.length > end + 4) queueMicrotask(() => this.#read(head.subarray(end + 4)))
  }

  #read(chunk: Buffer): void {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    let at = 0
    while (data.length - at >= 2) {
      const op = data.readUInt8(at)
      let length = data.readUInt8(at + 1)
      let start = at + 2
      if (length === LENGTH_16) {
        if (data.length - at < 4) break
        length = data.readUInt16BE(start)
        start += 2
      } else if (length === LENGTH_64) {
        if (data.length - at < 10) break
        length = Number(data.readBigUInt64BE(start))
        start += 8
      }
      if (data.length - start < length) break
      this.#frame(op, data, start, start + length)
      at = start + length
    }
    this.#rest = at < data.length ? Buffer.from(data.subarray(at)) : EMPTY
  }

  #frame(op: number, data: Buffer, start: number, end: number): void {
    switch (op) {
      case FIN | OP_TEXT:
        this.#events.text(data.toString('utf8', start, end))
        return
      case FIN | OP_PING:
        this.#write(OP_PONG, data.subarray(start, end))
        return
      case FIN | OP_CLOSE:
        this.#code = end - start >= 2 ? data.readUInt16BE(start) : undefined
        this.#socket.end()
        return
      case FIN | OP_PONG:
        return
      case OP_TEXT:
      case OP_CONTINUATION:
      case FIN | OP_CONTINUATION:
        throw new Error('the load client reads no fragmented messages')
      default:
        throw new Error(`unexpected frame 0x${op.toString(16)}`)
    }
  }

  #write(op: number, payload: Buffer): void {
    if (payload.length > LENGTH_16_MAX) throw new Error('the load client sends no frame above 64 KiB')
    const long = payload.length >= LENGTH_16
    // A mask of zeros is a mask: the server must still read it, we need not apply it.
    const frame = Buffer.alloc((long ? 4 : 2) + MASK_BYTES + payload.length)
    frame.writeUInt8(FIN | op, 0)
    frame.writeUInt8(MASKED | (long ? LENGTH_16 : payload.length), 1)
    if (long) frame.writeUInt16BE(payload.length, 2)
    payload.copy(frame, frame.length - payload.length)
    this.#socket.write(frame)
  }
}

/** Parley says `{error: {code, message}}`; of others the beginning of what they say. */
function verdictIn(body: string): string {
  try {
    const { error }: { readonly error?: { readonly code?: string; readonly message?: string } } = JSON.parse(body)
    if (error?.code !== undefined) return `${error.code}, ${error.message}`
  } catch {
    // Not JSON: shown as it is.
  }
  return body.slice(0, SHOWN_CHARS)
}

function upgradeRequest({ host = LOCAL_HOST, port, path, headers }: SocketTarget): string {
  const key = randomBytes(16).toString('base64')
  const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return (
    `GET ${path} HTTP/1.1\r\nHost: ${host.includes(':') ? `[${host}]` : host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${extra.join('')}\r\n`
  )
}
