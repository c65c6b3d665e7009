import { ToolError } from '../../ports/tool.ts'
import { type Opened, tooLong, unreachable } from '../http/exchange.ts'

/** Lines of a stream, some three for each message. The SDK takes milliseconds for a message, however small. */
const MAX_LINES = 1000
const [LINE_FEED, CARRIAGE_RETURN, LIST] = [0x0a, 0x0d, 0x5b]

/** The bytes of an answer as they come, to their bounds. */
export class BodyReader {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #maxBytes: number
  readonly #isStream: boolean
  #bytes = 0
  #lines = 0
  #hasBegun = false

  constructor({ body }: Opened, maxBytes: number, isStream: boolean) {
    this.#chunks = body[Symbol.asyncIterator]()
    this.#maxBytes = maxBytes
    this.#isStream = isStream
  }

  /** `onEnd` is told once that nothing more comes, and what broke it off. */
  toStream(onEnd: (fault?: Error) => void): ReadableStream<Uint8Array> {
    let isLeft = false
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const next = await this.#chunks.next()
          if (next.done === true) {
            controller.close()
            onEnd()
          } else controller.enqueue(this.#checked(next.value))
        } catch (thrown) {
          // Nobody reads it any more: what became of the connection since is no fault.
          if (isLeft) return
          const fault = thrown instanceof ToolError ? thrown : unreachable(thrown)
          controller.error(fault)
          onEnd(fault)
        }
      },
      cancel: () => {
        isLeft = true
        onEnd()
      },
    })
  }

  #checked(chunk: Buffer): Uint8Array {
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) throw tooLong(this.#maxBytes)
    if (this.#isStream) this.#countLines(chunk)
    else this.#assertOne(chunk)
    return new Uint8Array(chunk)
  }

  #countLines(chunk: Buffer): void {
    for (const byte of chunk) if (byte === LINE_FEED || byte === CARRIAGE_RETURN) this.#lines++
    if (this.#lines > MAX_LINES) throw new ToolError('The server said too much at once.')
  }

  /** Lists of messages were taken out of the protocol; the SDK would read a hundred thousand of them in one go. */
  #assertOne(chunk: Buffer): void {
    if (this.#hasBegun) return
    const first = chunk.find((byte) => byte > 0x20)
    this.#hasBegun = first !== undefined
    if (first === LIST) throw new ToolError('The server answered with a list of messages.')
  }
}
