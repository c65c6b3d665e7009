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
        if (step.token) await writer.pace()
        await writer.write(step.bytes)
        break
      case 'make':
        if (step.token) await writer.pace()
        await writer.write(step.make())
        break
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

  /** Waits for the next token's time. Times are absolute, so a late one does not delay those after it. */
  async pace(): Promise<void> {
    const rate = this.#delivery.tokensPerSecond
    if (!rate) return
    this.#due += MS_PER_SECOND / rate
    const wait = this.#due - performance.now()
    if (wait > 0) await sleep(wait)
  }

  async write(bytes: string | Uint8Array): Promise<void> {
    const size = this.#delivery.bytesPerWrite
    if (!size) return this.#writeOnce(bytes)
    const whole = Buffer.from(bytes)
    for (let at = 0; at < whole.length; at += size) await this.#writeOnce(whole.subarray(at, at + size))
  }

  /** Waits for `what`, or for the client to go away. */
  async quiet(what: Promise<unknown>): Promise<void> {
    await Promise.race([what, this.#gone])
  }

  async #writeOnce(bytes: string | Uint8Array): Promise<void> {
    if (this.#response.destroyed) return
    const room = this.#response.write(bytes)
    if (!room) await this.quiet(new Promise((resolve) => this.#response.once('drain', resolve)))
    else if (this.#delivery.eventPerWrite || this.#delivery.bytesPerWrite) await nextTurn()
  }
}
