import { connect, type Socket } from 'node:net'
import { clientFrame, handshake, OPCODE } from '../transports/raw-peer.ts'

const FIN = 0x80
const LENGTH_BITS = 0x7f
const LENGTH_16 = 126
const LENGTH_64 = 127
const CLOSE_CODE_BYTES = 2
/** Bytes that one read of a link at full speed takes. */
const READ_BYTES = 64 * 1024
const EMPTY = Buffer.alloc(0)
/** All links read into it: what is kept is copied. */
const SCRATCH = Buffer.alloc(READ_BYTES)

export type LinkTarget = {
  readonly port: number
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes that follow the handshake at once, before anyone was let in. */
  readonly early?: Buffer
}

/** How a link takes what comes. `sip`: so many bytes, each time that `sip` is called. */
export type Appetite = 'all' | 'nothing' | { readonly bytes: number }

export interface LinkEvents {
  /** One text frame, whole. */
  text(text: string): void
  pong?(): void
  /** What the server's close frame said; undefined: it ended without one. Once. */
  closed(code: number | undefined, reason: string): void
}

/** What a handshake was answered with instead of an upgrade. */
export class Refused extends Error {
  readonly status: number
  readonly retryAfter: string | undefined

  constructor(head: string) {
    super(head.slice(0, head.indexOf('\r\n')))
    this.status = Number(head.split(' ')[1])
    this.retryAfter = /^retry-after: *(\S+)/im.exec(head)?.[1]
  }
}

/** A WebSocket client for floods: sends any bytes, reads as little as it is told to, costs little. Answers no ping. */
export class LoadLink {
  readonly #socket: Socket
  readonly #events: LinkEvents
  #appetite: Appetite = 'all'
  #rest = EMPTY
  #upgraded = false
  #code: number | undefined
  #reason = ''
  #over = false
  bytesRead = 0

  /** Resolves with the link, or rejects with what refused it. */
  static open(target: LinkTarget, events: LinkEvents): Promise<LoadLink> {
    return new Promise((resolve, reject) => {
      const link = new LoadLink(target, events, resolve, reject)
      link.#socket.once('connect', () => {
        link.#socket.write(handshake(target.path, { ...target.headers }))
        if (target.early !== undefined) link.#socket.write(target.early)
      })
    })
  }

  private constructor(
    { port }: LinkTarget,
    events: LinkEvents,
    ready: (link: LoadLink) => void,
    refuse: (why: Error) => void,
  ) {
    this.#events = events
    const callback = (length: number): boolean => {
      this.bytesRead += length
      if (this.#upgraded) this.#take(SCRATCH.subarray(0, length))
      else this.#answer(SCRATCH.subarray(0, length), ready, refuse)
      return this.#appetite === 'all'
    }
    const buffer = (): Uint8Array =>
      typeof this.#appetite === 'object' ? SCRATCH.subarray(0, this.#appetite.bytes) : SCRATCH
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } })
    this.#socket.on('error', refuse)
    this.#socket.once('close', () => {
      refuse(new Error('closed before the upgrade'))
      this.#end()
    })
  }

  get open(): boolean {
    return !this.#over && this.#upgraded
  }

  /** By which the server's end of it is found among the kernel's sockets. */
  get localPort(): number {
    return this.#socket.localPort ?? 0
  }

  /** How much of what this side sent is not in the kernel yet. */
  get unsent(): number {
    return this.#socket.writableLength
  }

  write(bytes: Buffer): void {
    if (!this.#over && this.#socket.writable) this.#socket.write(bytes)
  }

  send(command: object): void {
    this.write(clientFrame(JSON.stringify(command)))
  }

  /** Resolves when what was written has left this process, or the link is over. */
  flushed(): Promise<void> {
    if (this.#over || !this.#socket.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done)
        resolve()
      }
      this.#socket.on('drain', done).on('close', done)
    })
  }

  hunger(appetite: Appetite): void {
    this.#appetite = appetite
    if (appetite === 'all') this.#socket.resume()
    else this.#socket.pause()
  }

  /** One read. */
  sip(): void {
    if (typeof this.#appetite === 'object') this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #answer(chunk: Buffer, ready: (link: LoadLink) => void, refuse: (why: Error) => void): void {
    const head = Buffer.concat([this.#rest, chunk])
    const end = head.indexOf('\r\n\r\n')
    this.#rest = head
    if (end < 0) return
    const text = head.toString('latin1', 0, end)
    if (!text.startsWith('HTTP/1.1 101')) {
      refuse(new Refused(text))
      return void this.#socket.destroy()
    }
    this.#upgraded = true
    this.#rest = EMPTY
    ready(this)
    // After the owner's continuation: frames may ride in the segment of the 101.
    queueMicrotask(() => this.#take(head.subarray(end + 4)))
  }

  #take(chunk: Buffer): void {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    let at = 0
    for (let size = frameSize(data, at); size !== undefined; size = frameSize(data, at)) {
      this.#frame(data.readUInt8(at), data.subarray(size.start, size.end))
      at = size.end
    }
    this.#rest = at < data.length ? Buffer.from(data.subarray(at)) : EMPTY
  }

  #frame(head: number, payload: Buffer): void {
    if (head === (FIN | OPCODE.text)) this.#events.text(payload.toString('utf8'))
    if (head === (FIN | OPCODE.pong)) this.#events.pong?.()
    if (head !== (FIN | OPCODE.close)) return
    this.#code = payload.length >= CLOSE_CODE_BYTES ? payload.readUInt16BE(0) : undefined
    this.#reason = payload.toString('utf8', CLOSE_CODE_BYTES)
    this.#socket.end()
    // What else came is of no use; reading it lets the socket end.
    this.#appetite = 'all'
    this.#end()
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    if (this.#upgraded) this.#events.closed(this.#code, this.#reason)
  }
}

/** Where the payload of the frame at `at` starts and ends; undefined: it is not whole yet. Servers mask nothing. */
function frameSize(data: Buffer, at: number): { readonly start: number; readonly end: number } | undefined {
  if (data.length - at < 2) return undefined
  const short = data.readUInt8(at + 1) & LENGTH_BITS
  const start = at + 2 + (short === LENGTH_16 ? 2 : short === LENGTH_64 ? 8 : 0)
  if (data.length < start) return undefined
  const length =
    short === LENGTH_16 ? data.readUInt16BE(at + 2) : short === LENGTH_64 ? Number(data.readBigUInt64BE(at + 2)) : short
  return data.length < start + length ? undefined : { start, end: start + length }
}
