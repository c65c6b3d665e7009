import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { LoadLink } from './load-link.ts'

/** The most that the demo model counts to. */
const COUNT_TO = 10_000

/** What of any frame is looked at here; lenient as every client is. */
export const SeenFrame = v.object({
  type: v.optional(v.string()),
  ref: v.optional(v.string()),
  code: v.optional(v.string()),
  message: v.optional(v.string()),
  retryable: v.optional(v.boolean()),
  state: v.optional(v.string()),
  id: v.optional(v.string()),
  chunk: v.optional(v.object({ type: v.string(), delta: v.optional(v.string()) })),
})
export type SeenFrame = v.InferOutput<typeof SeenFrame>

export function seen(text: string): SeenFrame {
  return v.parse(SeenFrame, JSON.parse(text))
}

/** A person who is told number after number while others misbehave: misses none, and never waits long for the next. */
export class CountingReader {
  readonly #waiting = new Map<string, () => void>()
  readonly #numbers: string[] = []
  #heardAt = 0
  #longestMs = 0
  #link: LoadLink | undefined
  #closedBy: string | undefined

  /** Connects and asks the demo model to count. */
  static async start(
    port: number,
    headers: Readonly<Record<string, string>> = {},
    app = 'default',
  ): Promise<CountingReader> {
    const reader = new CountingReader()
    const path = `/ws?app=${app}&session=${randomUUID()}`
    const ready = reader.#next('session.ready')
    reader.#link = await LoadLink.open(
      { port, path, headers },
      {
        text: (text) => reader.#hear(seen(text)),
        closed: (code) => {
          reader.#closedBy = String(code)
          for (const wake of reader.#waiting.values()) wake()
        },
      },
    )
    await ready
    const first = reader.#next('TEXT_MESSAGE_CONTENT')
    reader.#link.send({ type: 'message.send', clientMessageId: 'count', content: `count from 1 to ${COUNT_TO}` })
    await first
    return reader
  }

  get count(): number {
    return this.#numbers.length
  }

  /** Milliseconds that it waited at most between two frames since this was last asked. */
  takeLongestWaitMs(): number {
    this.#wait()
    const longest = this.#longestMs
    this.#longestMs = 0
    return longest
  }

  /** Stops the answer; what was wrong with what it was told. */
  async stop(): Promise<string[]> {
    const ended = this.#next('RUN_FINISHED')
    this.#link?.send({ type: 'run.cancel', id: 'stop' })
    await ended
    this.#link?.destroy()
    if (this.#closedBy !== undefined) return [`the connection was closed with ${this.#closedBy}`]
    const numbers = this.#numbers.join('').match(/\d+/g) ?? []
    const wrong = numbers.findIndex((number, index) => Number(number) !== index + 1)
    if (numbers.length === 0) return ['nothing was counted']
    return wrong === -1 ? [] : [`told ${numbers[wrong]} where ${wrong + 1} was due`]
  }

  #hear({ type, chunk }: SeenFrame): void {
    this.#wait()
    if (chunk?.type === 'TEXT_MESSAGE_CONTENT') this.#numbers.push(chunk.delta ?? '')
    const word = chunk?.type ?? type ?? ''
    this.#waiting.get(word)?.()
  }

  #wait(): void {
    const now = performance.now()
    if (this.#heardAt > 0) this.#longestMs = Math.max(this.#longestMs, now - this.#heardAt)
    this.#heardAt = now
  }

  #next(word: string): Promise<void> {
    if (this.#closedBy !== undefined) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.set(word, resolve))
  }
}
