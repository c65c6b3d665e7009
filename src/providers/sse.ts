const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
/** Some servers' writers begin with one; no line of a stream does. */
const BYTE_ORDER_MARK = 0xfeff
const DATA = 'data:'
const NOTHING = Buffer.alloc(0)

/**
 * Bytes of one line, and characters of one event. Beyond any that an API sends; a peer that never ends a line must not fill the
 * memory (I7).
 */
const MAX_EVENT_LENGTH = 4 * 1024 * 1024

/**
 * Takes a server-sent event stream apart as it comes, however it is cut into chunks: `onData` gets each event's data. Lines
 * end with LF or CRLF; names, ids and comments are passed over, since the data says what it is.
 */
export class SseParser {
  readonly #onData: (data: string) => void
  /** The first bytes of the line that has not ended yet: as bytes, since a character may be cut as well. */
  #rest = NOTHING
  #restLength = 0
  #data: string | undefined

  constructor(onData: (data: string) => void) {
    this.#onData = onData
  }

  /** Throws what `onData` throws, and an error when one event is longer than any can be. */
  read(chunk: Buffer): void {
    const whole = chunk.lastIndexOf(LINE_FEED) + 1
    if (whole > 0) this.#lines(this.#takeWith(chunk, whole))
    if (whole === chunk.length) return
    this.#keep(chunk, whole)
    if (this.#restLength > MAX_EVENT_LENGTH) throw new Error('an event is too long')
  }

  /** The body has ended: what came last is an event also without the line ends behind it, which some servers and proxies leave out. */
  end(): void {
    if (this.#restLength > 0) this.#lines(this.#takeWith(Buffer.from('\n'), 1))
    this.#dispatch()
  }

  /** The kept line's text and that of the chunk's first `end` bytes. */
  #takeWith(chunk: Buffer, end: number): string {
    if (this.#restLength === 0) return chunk.toString('utf8', 0, end)
    this.#keep(chunk, 0, end)
    const text = this.#rest.toString('utf8', 0, this.#restLength)
    this.#rest = NOTHING
    this.#restLength = 0
    return text
  }

  /** Room doubles: a long line that comes in small pieces is neither searched nor copied again for each of them. */
  #keep(chunk: Buffer, start: number, end = chunk.length): void {
    const length = this.#restLength + end - start
    if (length > this.#rest.length) {
      const room = Buffer.allocUnsafe(Math.max(length, 2 * this.#rest.length))
      this.#rest.copy(room, 0, 0, this.#restLength)
      this.#rest = room
    }
    chunk.copy(this.#rest, this.#restLength, start, end)
    this.#restLength = length
  }

  /** All of them whole. */
  #lines(text: string): void {
    let start = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      const stop = end > start && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end
      if (stop === start) this.#dispatch()
      else if (text.startsWith(DATA, start)) this.#add(text, start + DATA.length, stop)
      start = end + 1
    }
  }

  #add(text: string, start: number, stop: number): void {
    const line = text.slice(text.charCodeAt(start) === SPACE ? start + 1 : start, stop)
    this.#data = this.#data === undefined ? line : `${this.#data}\n${line}`
    if (this.#data.length > MAX_EVENT_LENGTH) throw new Error('an event is too long')
  }

  #dispatch(): void {
    const data = this.#data
    this.#data = undefined
    if (data !== undefined && data !== '') this.#onData(data)
  }
}
