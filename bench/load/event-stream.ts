import { StringDecoder } from 'node:string_decoder'

const EMPTY: Buffer = Buffer.alloc(0)
const LINE_END = '\r\n'
const HEAD_END = '\r\n\r\n'
/** Of a refusal. */
const SHOWN_CHARS = 300

export interface EventStreamEvents {
  readonly event: (name: string, data: string) => void
  readonly end: () => void
}

/**
 * Reads an HTTP response of server-sent events, for load only: a status of 200, chunked. Hand-made as the WebSocket client, because
 * node:http would cost the load side more than most servers here take.
 */
export class EventStream {
  readonly #events: EventStreamEvents
  readonly #decoder = new StringDecoder('utf8')
  #head = true
  #ended = false
  #rest: Buffer = EMPTY
  #text = ''
  #name = ''
  #data: string | undefined

  constructor(events: EventStreamEvents) {
    this.#events = events
  }

  /** Throws on what is no such response. */
  read(data: Buffer): void {
    if (this.#ended) return
    let all = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data
    if (this.#head) {
      const end = all.indexOf(HEAD_END)
      if (end < 0) {
        this.#rest = all
        return
      }
      accept(all.toString('utf8', 0, end), all.subarray(end + HEAD_END.length))
      this.#head = false
      all = all.subarray(end + HEAD_END.length)
    }
    this.#rest = this.#chunks(all)
  }

  /** Gives what belongs to a chunk that is not whole. */
  #chunks(data: Buffer): Buffer {
    let at = 0
    while (at < data.length) {
      const end = data.indexOf(LINE_END, at)
      if (end < 0) break
      const start = end + LINE_END.length
      const size = Number.parseInt(data.toString('latin1', at, end), 16)
      if (Number.isNaN(size)) throw new Error('the response is not chunked as HTTP has it')
      if (size === 0) {
        this.#ended = true
        this.#events.end()
        return EMPTY
      }
      if (data.length < start + size + LINE_END.length) break
      this.#lines(this.#decoder.write(data.subarray(start, start + size)))
      at = start + size + LINE_END.length
    }
    return at < data.length ? data.subarray(at) : EMPTY
  }

  #lines(text: string): void {
    const all = this.#text + text
    let at = 0
    for (let end = all.indexOf('\n'); end >= 0; end = all.indexOf('\n', at)) {
      this.#line(all.slice(at, all[end - 1] === '\r' ? end - 1 : end))
      at = end + 1
    }
    this.#text = all.slice(at)
  }

  #line(line: string): void {
    if (line === '') {
      if (this.#data !== undefined) this.#events.event(this.#name, this.#data)
      this.#name = ''
      this.#data = undefined
      return
    }
    // What begins with a colon is a comment, which keeps a connection alive.
    const colon = line.indexOf(':')
    const value = line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (line.startsWith('data:')) this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
    else if (line.startsWith('event:')) this.#name = value
  }
}

function accept(head: string, body: Buffer): void {
  if (!head.startsWith('HTTP/1.1 200')) {
    const [status] = head.split(LINE_END)
    throw new Error(`${status}: ${body.toString('utf8').slice(0, SHOWN_CHARS)}`)
  }
  if (!/^transfer-encoding: *chunked/im.test(head)) throw new Error('the response is not chunked')
}
