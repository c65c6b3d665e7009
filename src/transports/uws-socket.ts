import type { WebSocket } from 'uWebSockets.js'
import type { SendResult, Socket, SocketHandler } from '../ports/transport.ts'
import { CLOSE_TIMEOUT_MS, SLOW_CONSUMER, SLOW_REASON } from './close-codes.ts'
import { closeReason } from './frames.ts'

/** The library copies the properties of the user data to its own socket object; so it is one, and all of ours hangs on it. */
export type UserData = { readonly peer: UwsSocket }

/** What the library's numbers 0, 1 and 2 say. */
const RESULTS: readonly SendResult[] = ['queued', 'sent', 'dropped']
const DROPPED = 2
/** Sockets that are cut in one turn of the loop: the kernel takes about a millisecond to throw away the megabytes of one. */
const CUTS_PER_TURN = 4

/** What is used of the library's socket. */
type LibrarySocket = Pick<
  WebSocket<UserData>,
  'send' | 'ping' | 'getBufferedAmount' | 'subscribe' | 'unsubscribe' | 'getTopics' | 'end' | 'close'
> & { cork(work: () => void): unknown }

type Closing = {
  readonly ws: Pick<LibrarySocket, 'getBufferedAmount' | 'end' | 'close'>
  readonly code: number
  readonly reason: string
  readonly deadline: number
}

/**
 * Sockets that were closed while frames waited for them. The library's own `end` would shut the connection down at once and
 * lose both the frames and the close frame, so it is called when the rest has left. One timer for all, while there are any.
 */
export class Closings {
  readonly #all = new Map<UwsSocket, Closing>()
  #timer: NodeJS.Timeout | undefined

  add(socket: UwsSocket, closing: Omit<Closing, 'deadline'>): void {
    this.#all.set(socket, { ...closing, deadline: performance.now() + CLOSE_TIMEOUT_MS })
    this.#timer ??= setTimeout(() => this.#sweep(), CLOSE_TIMEOUT_MS)
  }

  drained(socket: UwsSocket): void {
    const closing = this.#all.get(socket)
    if (closing !== undefined && closing.ws.getBufferedAmount() === 0) closing.ws.end(closing.code, closing.reason)
  }

  gone(socket: UwsSocket): void {
    this.#all.delete(socket)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** They are in the order of their deadlines. */
  #sweep(): void {
    this.#timer = undefined
    const now = performance.now()
    let cuts = 0
    for (const { ws, deadline } of this.#all.values()) {
      if (deadline > now || cuts === CUTS_PER_TURN) {
        this.#timer = setTimeout(() => this.#sweep(), deadline - now)
        return
      }
      cuts++
      ws.close()
    }
  }
}

/**
 * UTF-16 units of frames that leave together: fewer bytes than the library's own room for it (16 KiB). What a cork holds and has no
 * room for, it would keep a buffer for as long as the socket lives: 60 KB for a snapshot of that size behind a short frame.
 */
const TOGETHER_UNITS = 5000

/** What the library calls is guarded by `#ws`: any use after the socket has closed throws. */
export class UwsSocket implements Socket {
  readonly #handler: SocketHandler
  readonly #closings: Closings
  /** While it is open. */
  #ws: LibrarySocket | undefined
  #over = false
  /** Frames that a broadcast dropped and nobody was told of. */
  #lost = 0
  /** Frames that leave together, while some are being made. */
  #gathered: string[] | undefined

  constructor(handler: SocketHandler, closings: Closings) {
    this.#handler = handler
    this.#closings = closings
  }

  /** `text` has to be well formed, as JSON always is: the library writes a lone surrogate as it stands. */
  send(text: string): SendResult {
    if (this.#ws === undefined) return 'dropped'
    if (this.#gathered !== undefined && this.#gather(text, this.#gathered)) return 'sent'
    const result = this.#ws.send(text)
    // The caller knows of this one.
    if (result === DROPPED) this.#lost--
    return RESULTS[result] ?? 'dropped'
  }

  together(work: () => void): void {
    if (this.#gathered !== undefined) return work()
    this.#gathered = []
    try {
      work()
    } finally {
      this.#letGo(this.#gathered)
      this.#gathered = undefined
    }
  }

  buffered(): number {
    return this.#ws?.getBufferedAmount() ?? 0
  }

  close(code: number, reason: string): void {
    const ws = this.#ws
    if (ws === undefined) return
    if (this.#gathered !== undefined) this.#letGo(this.#gathered)
    this.#end(code)
    const said = closeReason(reason)
    if (ws.getBufferedAmount() === 0) {
      ws.end(code, said)
      return
    }
    for (const group of ws.getTopics()) ws.unsubscribe(group)
    this.#closings.add(this, { ws, code, reason: said })
  }

  ping(): void {
    if (this.#ws?.ping() === DROPPED) this.#lost--
  }

  join(group: string): void {
    this.#ws?.subscribe(group)
  }

  leave(group: string): void {
    this.#ws?.unsubscribe(group)
  }

  // What the library says

  opened(ws: LibrarySocket): void {
    if (this.#over) return
    this.#ws = ws
    this.together(() => this.#handler.opened(this))
  }

  received(message: ArrayBuffer, isBinary: boolean): void {
    if (this.#ws === undefined) return
    if (isBinary) this.#handler.receivedBinary()
    else this.#handler.received(Buffer.from(message).toString())
  }

  alive(): void {
    if (this.#ws !== undefined) this.#handler.alive()
  }

  drained(): void {
    if (this.#ws === undefined) this.#closings.drained(this)
    else this.#handler.drained()
  }

  /** A frame did not fit; said before `send` returns, or in the middle of a broadcast. */
  dropped(): void {
    this.#lost++
    if (this.#lost === 1) setImmediate(() => this.#judge())
  }

  /** The library has closed it, or it was our own `end`. */
  gone(code: number): void {
    this.#over = true
    this.#closings.gone(this)
    if (this.#ws !== undefined) this.#end(code)
  }

  /** False when it has no room beside the others, which have left then. */
  #gather(text: string, gathered: string[]): boolean {
    const units = gathered.reduce((sum, { length }) => sum + length, text.length)
    if (units > TOGETHER_UNITS) this.#letGo(gathered)
    if (text.length > TOGETHER_UNITS) return false
    gathered.push(text)
    return true
  }

  /** One that is dropped is heard of in `dropped`. */
  #letGo(gathered: string[]): void {
    const ws = this.#ws
    if (ws === undefined || gathered.length === 0) return
    ws.cork(() => {
      for (const text of gathered.splice(0)) ws.send(text)
    })
  }

  #judge(): void {
    if (this.#lost > 0) this.close(SLOW_CONSUMER, SLOW_REASON)
    this.#lost = 0
  }

  /** In a task of its own: the handler itself may have closed it, and its calls are never nested. */
  #end(code: number): void {
    this.#ws = undefined
    queueMicrotask(() => this.#handler.closed(code))
  }
}
