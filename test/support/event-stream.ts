/** Reads server-sent events as Aomi's client does: `data:` lines only, each a JSON value. */
export class EventStream {
  readonly response: Response
  readonly comments: string[] = []
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #decoder = new TextDecoder()
  #text = ''

  private constructor(response: Response) {
    this.response = response
    this.#reader = response.body?.getReader()
  }

  static async open(answer: Promise<Response>): Promise<EventStream> {
    return new EventStream(await answer)
  }

  /** The next event; undefined: the stream ended. */
  async next(): Promise<Record<string, unknown> | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end < 0) {
        const part = await this.#reader?.read()
        if (part === undefined || part.done) return undefined
        this.#text += this.#decoder.decode(part.value, { stream: true })
        continue
      }
      const block = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 2)
      if (block.startsWith('data: ')) {
        const event: Record<string, unknown> = JSON.parse(block.slice('data: '.length))
        return event
      }
      this.comments.push(block)
    }
  }

  /** The next event of this type. */
  async until(type: string): Promise<Record<string, unknown>> {
    for (;;) {
      const event = await this.next()
      if (event === undefined) throw new Error(`the stream ended while ${type} was awaited`)
      if (event['type'] === type) return event
    }
  }

  async close(): Promise<void> {
    await this.#reader?.cancel()
  }
}
