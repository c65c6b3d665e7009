const LINE_FEED = '\n'
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
const DATA = 'data:'

/**
 * Characters of one event. Beyond any that an API sends; a peer that never ends a line must not fill the memory (I7).
 */
const MAX_EVENT_LENGTH = 4 * 1024 * 1024

/**
 * Takes a server-sent event stream apart as it comes, however it is cut into chunks: `onData` gets each event's data. Lines
 * end with LF or CRLF; names, ids and comments are passed over, since the data says what it is.
 */
export class SseParser {
  readonly #onData: (data: string) => void
  readonly #decoder = new TextDecoder()
  /** The line that has not ended yet. */
  #rest = ''
  #data: string | undefined

  constructor(onData: (data: string) => void) {
    this.#onData = onData
  }

  /** Throws what `onData` throws, and an error when one event is longer than any can be. */
  read(chunk: Uint8Array): void {
    const known = this.#rest.length
    const text = this.#rest + this.#decoder.decode(chunk, { stream: true })
    let start = 0
    for (let end = text.indexOf(LINE_FEED, known); end !== -1; end = text.indexOf(LINE_FEED, start)) {
      const stop = end > start && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end
      if (stop === start) this.#dispatch()
      else if (text.startsWith(DATA, start)) this.#add(text, start + DATA.length, stop)
      start = end + 1
    }
    this.#rest = start < text.length ? text.slice(start) : ''
    if (this.#rest.length > MAX_EVENT_LENGTH) throw new Error('an event is too long')
  }

  #add(text: string, start: number, stop: number): void {
    const line = text.slice(text.charCodeAt(start) === SPACE ? start + 1 : start, stop)
    this.#data = this.#data === undefined ? line : `${this.#data}${LINE_FEED}${line}`
    if (this.#data.length > MAX_EVENT_LENGTH) throw new Error('an event is too long')
  }

  /** An event that the stream's end cuts off is never dispatched. */
  #dispatch(): void {
    const data = this.#data
    this.#data = undefined
    if (data !== undefined && data !== '') this.#onData(data)
  }
}
