import { setTimeout as sleep } from 'node:timers/promises'
import { ToolError } from '../../ports/tool.ts'

/** Lines that are read in one go, and milliseconds until the next: the SDK takes a tenth of one for a message, however small. */
const [LINES_AT_ONCE, PAUSE_MS] = [20, 10]
const NEWLINE = 0x0a

/**
 * What a process writes, line by line, without those that are empty. One that writes without end is read at a pace that leaves
 * the event loop to others; it waits meanwhile. Throws ToolError at a line of more than `maxBytes`.
 */
export async function* linesOf(output: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<string> {
  const line = new Line(maxBytes)
  let lines = 0
  for await (const chunk of output) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      const text = line.end(chunk.subarray(from, at))
      from = at + 1
      if (text !== '') yield text
      if (++lines % LINES_AT_ONCE === 0) await sleep(PAUSE_MS)
    }
    line.add(chunk.subarray(from))
  }
}

class Line {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#bytes > this.#maxBytes) throw new ToolError(`The server answered with more than ${this.#maxBytes} bytes.`)
    this.#chunks.push(piece)
  }

  end(piece: Buffer): string {
    this.add(piece)
    const text = Buffer.concat(this.#chunks).toString('utf8').trim()
    this.#chunks = []
    this.#bytes = 0
    return text
  }
}
