import { ParleyError } from '../protocol/errors.ts'

/** Bytes of a body that may wait for the handler; a few reads of a socket. */
const BUFFERED_BYTES = 64 * 1024
/**
 * Bytes read and thrown away after a body proved too large. A client that is still sending when the connection closes gets a
 * reset instead of the 413, so its body is let in up to here; then the connection ends with the answer.
 */
const DISCARDED_BYTES = 4 * 1024 * 1024
/** Bytes over the limit after which a client that does not stop at the answer is cut. */
const CUT_BYTES = 2 * DISCARDED_BYTES

/** Stops and starts what feeds a body; `cut` ends the connection. */
export interface BodySource {
  pause(): void
  resume(): void
  cut(): void
}

/** An inbound body: the transport pushes, the handler reads, and what the handler does not read yet holds the sender back. */
export class RequestBody {
  readonly stream: ReadableStream<Uint8Array>
  /** Resolves when a body over the limit has been let in, or has gone too far; never, when it stays within. */
  readonly tooLarge: Promise<ParleyError>
  readonly #source: BodySource
  readonly #limit: number
  readonly #declared: number
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #settle: (error: ParleyError) => void = () => undefined
  #excess: ParleyError | undefined
  #received = 0
  #paused = false

  /** @param limit bytes @param declared bytes by Content-Length, 0 where there is none */
  constructor(limit: number, declared: number, source: BodySource) {
    this.#limit = limit
    this.#declared = declared
    this.#source = source
    this.tooLarge = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => this.#flow(),
        cancel: () => this.discard(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: BUFFERED_BYTES }),
    )
    if (declared > limit) this.#exceed()
  }

  get exceeded(): boolean {
    return this.#excess !== undefined
  }

  /** More than we are ready to throw away: the connection cannot be used for another request. */
  get endless(): boolean {
    return Math.max(this.#received, this.#declared) > this.#limit + DISCARDED_BYTES
  }

  /** Takes ownership of `chunk`. */
  push(chunk: Uint8Array): void {
    this.#received += chunk.length
    if (this.#received > this.#limit) this.#exceed()
    if (this.#received > this.#limit + CUT_BYTES) this.#source.cut()
    if (this.#controller === undefined) return
    this.#controller.enqueue(chunk)
    if (this.#paused || (this.#controller.desiredSize ?? 0) > 0) return
    this.#paused = true
    this.#source.pause()
  }

  end(): void {
    this.#controller?.close()
    this.#controller = undefined
    this.#report()
  }

  /** The sender left half-way. */
  fail(error: Error): void {
    this.#controller?.error(error)
    this.#controller = undefined
    this.#report()
  }

  /** Lets the rest arrive and throws it away, so that the connection can carry the next request. */
  discard(): void {
    this.#controller = undefined
    this.#flow()
  }

  #exceed(): void {
    this.#excess ??= new ParleyError('message_too_large', { message: 'The request body is too large' })
    this.#controller?.error(this.#excess)
    this.discard()
    if (this.endless) this.#report()
  }

  #report(): void {
    if (this.#excess !== undefined) this.#settle(this.#excess)
  }

  #flow(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#source.resume()
  }
}
