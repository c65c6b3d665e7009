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
  /** Of each answer what it told; a new one is asked for when one has ended. */
  readonly #answers: string[][] = []
  #stopping = false
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
    reader.#ask()
    await first
    return reader
  }

  /** Pieces that it was told. */
  get count(): number {
    return this.#answers.reduce((sum, answer) => sum + answer.length, 0)
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
    this.#stopping = true
    this.#link?.send({ type: 'run.cancel', id: 'stop' })
    await ended
    this.#link?.destroy()
    if (this.#closedBy !== undefined) return [`the connection was closed with ${this.#closedBy}`]
    return this.#answers.flatMap((answer, nth) => {
      const numbers = answer.join('').match(/\d+/g) ?? []
      const wrong = numbers.findIndex((number, index) => Number(number) !== index + 1)
      if (wrong !== -1) return [`told ${numbers[wrong]} where ${wrong + 1} was due`]
      const isWhole = numbers.length === COUNT_TO
      if (isWhole || (nth === this.#answers.length - 1 && numbers.length > 0)) return []
      return [`answer ${nth + 1} ended after ${numbers.length} numbers`]
    })
  }

  #ask(): void {
    this.#answers.push([])
    const clientMessageId = `count-${this.#answers.length}`
    this.#link?.send({ type: 'message.send', clientMessageId, content: `count from 1 to ${COUNT_TO}` })
  }

  #hear({ type, chunk }: SeenFrame): void {
    this.#wait()
    if (type === 'ping') this.#link?.send({ type: 'pong' })
    if (chunk?.type === 'TEXT_MESSAGE_CONTENT') this.#answers.at(-1)?.push(chunk.delta ?? '')
    if (chunk?.type === 'RUN_FINISHED' && !this.#stopping) this.#ask()
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
