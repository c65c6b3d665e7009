import type { Socket as TcpSocket } from 'node:net'
import { WebSocket } from 'ws'
import type { SendResult, Socket, SocketHandler } from '../ports/transport.ts'
import { ABNORMAL, FRAME_TOO_LARGE, NO_STATUS, TOO_LARGE_REASON } from './close-codes.ts'
import { closeReason, PING_FRAME, textFrame } from './frames.ts'

/** What `ws` closes with when a frame is larger than it may be. */
const WS_TOO_BIG = 1009

const NOTHING = Buffer.alloc(0)

/** The library's socket with the way back to ours, so that listeners are shared functions and not closures of each connection. */
export class LinkedWebSocket extends WebSocket {
  link: WsSocket | undefined

  /** Every close frame passes here: our own, the answer to the peer's, and those for frames that break the protocol. */
  override close(code?: number, data?: string | Buffer): void {
    if (code === WS_TOO_BIG) super.close(FRAME_TOO_LARGE, TOO_LARGE_REASON)
    else super.close(code, data)
    this.link?.ended(code === WS_TOO_BIG ? FRAME_TOO_LARGE : (code ?? NO_STATUS))
  }
}

/** The groups of a transport. Sets keep the order of joining and allow a member to leave in the middle of a broadcast. */
export type Groups = Map<string, Set<WsSocket>>

/** What the sockets of one transport share. */
export type WsShared = { readonly groups: Groups; readonly sockets: Set<WsSocket>; readonly maxBufferedBytes: number }

export class WsSocket implements Socket {
  readonly #ws: LinkedWebSocket
  readonly #tcp: TcpSocket
  readonly #handler: SocketHandler
  readonly #shared: WsShared
  #open = true
  #stalled = false
  #groups: string[] | undefined

  constructor(ws: LinkedWebSocket, tcp: TcpSocket, handler: SocketHandler, shared: WsShared) {
    this.#ws = ws
    this.#tcp = tcp
    this.#handler = handler
    this.#shared = shared
    shared.sockets.add(this)
    ws.link = this
    ws.on('message', onMessage).on('ping', onPing).on('pong', onPong).on('error', onError).on('close', onClose)
  }

  send(text: string): SendResult {
    if (!this.#open) return 'dropped'
    if (this.#leaving()) return 'queued'
    return this.#fits() ? this.#write(textFrame(text)) : 'dropped'
  }

  /** A frame that is encoded already; false when it did not fit. */
  take(frame: Buffer): boolean {
    return this.#leaving() || (this.#fits() && this.#write(frame) !== 'dropped')
  }

  together(work: () => void): void {
    this.#tcp.cork()
    try {
      work()
    } finally {
      this.#tcp.uncork()
      if (this.#tcp.writableLength > 0) this.#awaitDrain()
    }
  }

  buffered(): number {
    return this.#open ? this.#tcp.writableLength : 0
  }

  close(code: number, reason: string): void {
    if (this.#open) this.#ws.close(code, closeReason(reason))
  }

  ping(): void {
    if (this.#open && this.#fits()) this.#tcp.write(PING_FRAME)
  }

  join(group: string): void {
    if (!this.#open) return
    const members = this.#shared.groups.get(group)
    if (members?.has(this)) return
    if (members === undefined) this.#shared.groups.set(group, new Set([this]))
    else members.add(this)
    this.#groups = [...(this.#groups ?? []), group]
  }

  leave(group: string): void {
    if (!this.#groups?.includes(group)) return
    this.#groups = this.#groups.filter((name) => name !== group)
    const members = this.#shared.groups.get(group)
    members?.delete(this)
    if (members?.size === 0) this.#shared.groups.delete(group)
  }

  /** Ends it without a close frame. */
  cut(): void {
    this.#ws.terminate()
  }

  received(data: Buffer, isBinary: boolean): void {
    if (!this.#open) return
    if (isBinary) this.#handler.receivedBinary()
    else this.#handler.received(data.toString())
  }

  /** Pings are answered here: the library's own way keeps a closure for every connection. */
  pinged(data: Buffer): void {
    if (!this.#open) return
    if (this.#fits()) this.#ws.pong(data)
    this.alive()
  }

  alive(): void {
    if (this.#open) this.#handler.alive()
  }

  /** Called once for every way to end; after it the handler hears no more. */
  ended(code: number): void {
    if (!this.#open) return
    this.#open = false
    for (const group of this.#groups ?? []) this.leave(group)
    // In a task of its own: our own close may have been called by the handler, and its calls are never nested.
    queueMicrotask(() => this.#handler.closed(code))
  }

  /** The socket is gone. */
  gone(): void {
    this.ended(ABNORMAL)
    this.#shared.sockets.delete(this)
  }

  /** The peer is gone and `closed` is on its way: a frame that misses it now is not the fault of a slow reader. */
  #leaving(): boolean {
    return this.#open && !this.#tcp.writable
  }

  #fits(): boolean {
    return this.#tcp.writable && this.#tcp.writableLength <= this.#shared.maxBufferedBytes
  }

  #write(frame: Buffer): SendResult {
    const isLittle = this.#tcp.write(frame)
    if (this.#tcp.writableLength === 0 || (isLittle && this.#tcp.writableCorked > 0)) return 'sent'
    this.#awaitDrain()
    return 'queued'
  }

  /**
   * An empty write is through when all before it are. Node's own `drain` comes only where 16 KiB have waited, or 64, by its version:
   * whoever waits for less would wait for ever.
   */
  #awaitDrain(): void {
    if (this.#stalled) return
    this.#stalled = true
    this.#tcp.write(NOTHING, () => {
      this.#stalled = false
      if (!this.#open) return
      if (this.#tcp.writableLength > 0) this.#awaitDrain()
      else this.#handler.drained()
    })
  }
}

function linkOf(ws: WebSocket): WsSocket | undefined {
  return ws instanceof LinkedWebSocket ? ws.link : undefined
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  // The binary type is never changed, so it is a Buffer.
  if (Buffer.isBuffer(data)) linkOf(this)?.received(data, isBinary)
}

function onPing(this: WebSocket, data: Buffer): void {
  linkOf(this)?.pinged(data)
}

function onPong(this: WebSocket): void {
  linkOf(this)?.alive()
}

/** What was wrong with the peer's bytes is in the close code; without a listener it would end the process. */
function onError(): void {}

function onClose(this: WebSocket): void {
  linkOf(this)?.gone()
}
