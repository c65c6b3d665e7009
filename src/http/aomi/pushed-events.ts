import { SSE_HEADERS } from './sse.ts'

/** Bytes that may wait for one reader of a stream. */
const MAX_WAITING = 256 * 1024
const encoder = new TextEncoder()

/** A stream that events are pushed into. Who does not read them is let go. */
export class PushedEvents {
  readonly response: Response
  /** The key that it was opened with, where it shows anything. */
  keyId: string | undefined
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  readonly #onEnd: (() => void)[]

  constructor(onEnd: () => void) {
    this.#onEnd = [onEnd]
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        cancel: () => this.#leave(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_WAITING }),
    )
    this.response = new Response(body, { headers: SSE_HEADERS })
  }

  send(text: string): void {
    if (this.#controller === undefined) return
    if ((this.#controller.desiredSize ?? 0) <= 0) this.end()
    else this.#controller.enqueue(encoder.encode(text))
  }

  /** Called at the end; at once, where that was. */
  hold(release: () => void): void {
    if (this.#controller === undefined) release()
    else this.#onEnd.push(release)
  }

  end(): void {
    this.#controller?.close()
    this.#leave()
  }

  #leave(): void {
    if (this.#controller === undefined) return
    this.#controller = undefined
    for (const end of this.#onEnd) end()
  }
}
