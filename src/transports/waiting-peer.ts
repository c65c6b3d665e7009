import type { Socket } from 'node:net'

/** Bytes that a client may send before it was let in; an honest one sends none. */
const MAX_EARLY_BYTES = 16 * 1024

/** Reads a socket while its handshake is decided: without reading nobody learns that the peer has left. */
export class WaitingPeer {
  readonly #socket: Socket
  readonly #early: Buffer[] = []
  #bytes = 0
  #gone = false
  readonly #take = (chunk: Buffer): void => {
    this.#early.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > MAX_EARLY_BYTES) this.#socket.pause()
  }
  readonly #leave = (): void => {
    this.#gone = true
    this.#socket.destroy()
  }

  constructor(socket: Socket, early: Buffer) {
    this.#socket = socket
    if (early.length > 0) this.#take(early)
    socket.on('data', this.#take).on('end', this.#leave).on('close', this.#leave).on('error', this.#leave)
  }

  get gone(): boolean {
    return this.#gone
  }

  /** Stops reading; gives what came too early, for whoever reads next. */
  release(): Buffer {
    this.#socket.off('data', this.#take).off('end', this.#leave).off('close', this.#leave).off('error', this.#leave)
    // The next owner takes the socket in this task and expects it to flow.
    if (this.#socket.isPaused()) this.#socket.resume()
    return Buffer.concat(this.#early)
  }
}
