import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Step } from './messages-api-events.ts'

/**
 * How a stream's bytes reach the client. Without any of these: as fast as the client reads, each event an HTTP chunk of its
 * own (as the API's), many chunks in one write to the socket (Node joins what one loop turn writes).
 */
export type Delivery = {
  /** Tokens per second; each token is its own write. */
  readonly tokensPerSecond?: number
  /** Every event in its own write, in a loop turn of its own. */
  readonly eventPerWrite?: boolean
  /** Bytes per write, each in a loop turn of its own: splits events, and characters, at any byte. */
  readonly bytesPerWrite?: number
}

const MS_PER_SECOND = 1000

/** Plays the steps on an answer whose headers are sent. Returns when all are out or the client has gone. */
export async function play(steps: Iterable<Step>, response: ServerResponse, delivery: Delivery): Promise<void> {
  const writer = new Writer(response, delivery)
  for (const step of steps) {
    if (response.destroyed) return
    switch (step.step) {
      case 'send':
      case 'make': {
        // Awaits nothing that is there already: a bench's stub must leave the other core to its load.
        const early = step.token ? writer.early() : 0
        if (early > 0) await sleep(early)
        const wait = writer.write(step.step === 'make' ? step.make() : step.bytes)
        if (wait !== undefined) await wait
        break
      }
      case 'wait':
        await writer.quiet(sleep(step.ms))
        break
      case 'hold':
        await writer.quiet(step.until ?? new Promise(() => {}))
        break
      case 'cut':
        response.socket?.destroy()
        return
    }
  }
  response.end()
}

class Writer {
  readonly #response: ServerResponse
  readonly #delivery: Delivery
  readonly #gone: Promise<void>
  #due = performance.now()

  constructor(response: ServerResponse, delivery: Delivery) {
    this.#response = response
    this.#delivery = delivery
    this.#gone = new Promise((resolve) => response.once('close', resolve))
  }

  /** Milliseconds to the next token's time. Times are absolute, so a late one does not delay those after it. */
  early(): number {
    const rate = this.#delivery.tokensPerSecond
    if (!rate) return 0
    this.#due += MS_PER_SECOND / rate
    return this.#due - performance.now()
  }

  /** What to wait for before the next one, if anything. */
  write(bytes: string | Uint8Array): Promise<unknown> | undefined {
    const size = this.#delivery.bytesPerWrite
    return size ? this.#writeInPieces(bytes, size) : this.#writeOnce(bytes)
  }

  async #writeInPieces(bytes: string | Uint8Array, size: number): Promise<void> {
    const whole = Buffer.from(bytes)
    for (let at = 0; at < whole.length; at += size) await this.#writeOnce(whole.subarray(at, at + size))
  }

  /** Waits for `what`, or for the client to go away. */
  async quiet(what: Promise<unknown>): Promise<void> {
    await Promise.race([what, this.#gone])
  }

  #writeOnce(bytes: string | Uint8Array): Promise<unknown> | undefined {
    if (this.#response.destroyed) return undefined
    const { socket } = this.#response
    const paced = this.#delivery.tokensPerSecond !== undefined
    // An empty chunk would be the end of the body.
    const direct = paced && socket !== null && typeof bytes === 'string' && bytes !== ''
    const room = direct ? socket.write(httpChunk(bytes)) : this.#response.write(bytes)
    if (!room) return this.quiet(new Promise((resolve) => (direct ? socket : this.#response).once('drain', resolve)))
    return this.#delivery.eventPerWrite || this.#delivery.bytesPerWrite ? nextTurn() : undefined
  }
}

/** Node writes a chunk in four pieces and joins them again: a fifth of all that a token costs a bench's stub. */
function httpChunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
}
