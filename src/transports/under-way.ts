import type { Telemetry } from '../ports/telemetry.ts'
import type { TransportHandlers } from '../ports/transport.ts'
import { type Exchange, serveHttp } from './http-serve.ts'

/** Milliseconds that requests get to end: most take a few, and streams that go on until somebody leaves would take for ever. */
const GRACE_MS = 1000

/** The HTTP requests that are being answered. */
export class UnderWay {
  #count = 0
  #ended: () => void = () => undefined

  /** As `serveHttp`. */
  async serve(handlers: TransportHandlers, exchange: Exchange, telemetry: Telemetry): Promise<void> {
    this.#count++
    await serveHttp(handlers, exchange, telemetry)
    this.#count--
    if (this.#count === 0) this.#ended()
  }

  /** Resolves when none is left, after a grace at the latest; a turn of the loop later, in which what was written leaves. */
  async end(): Promise<void> {
    if (this.#count > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, GRACE_MS)
        this.#ended = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    await new Promise((resolve) => setImmediate(resolve))
  }
}
