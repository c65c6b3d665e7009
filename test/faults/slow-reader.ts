import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { LoadLink, Refused } from './load-link.ts'
import type { LongAnswer } from './slow-model.ts'

/** Bytes that a reader of the slow kind takes each second. */
const SIP_BYTES = 1024
const RETRY_MS = 500

/** How a reader stalls. `never`: it reads nothing and says nothing until the server has cut it. */
export type Habit = 'nothing' | 'sips' | 'never' | 'all'

/** What of a frame counts here. */
const Seen = v.object({
  type: v.optional(v.string()),
  id: v.optional(v.string()),
  resumed: v.optional(v.string()),
  code: v.optional(v.string()),
  clientMessageId: v.optional(v.string()),
  chunk: v.optional(v.object({ type: v.string(), delta: v.optional(v.string()) })),
  messages: v.optional(v.array(v.object({ role: v.string(), content: v.optional(v.string()) }))),
})

export type Ending = { readonly code: number | undefined; readonly reason: string }

/** One who watches a long answer, holds every character against what the model said, and comes back with its cursor. */
export class SlowReader {
  readonly answer: LongAnswer
  readonly habit: Habit
  readonly #port: number
  readonly #session: string
  readonly #question = randomUUID()
  #link: LoadLink | undefined
  #cursor: string | undefined
  /** Characters that it has, all of them right. */
  has = 0
  ready = false
  ended = false
  /** How its first connection ended. */
  ending: Ending | undefined
  /** How it was refused when it came back. */
  readonly refusals: string[] = []
  /** Deltas of both connections. */
  deltas = 0
  readonly faults: string[] = []

  constructor(port: number, session: string, answer: LongAnswer, habit: Habit) {
    this.#port = port
    this.#session = session
    this.answer = answer
    this.habit = habit
  }

  get localPort(): number {
    return this.#link?.localPort ?? 0
  }

  get open(): boolean {
    return this.#link?.open === true
  }

  async connect(): Promise<void> {
    this.ready = false
    const cursor = this.#cursor === undefined ? '' : `&cursor=${this.#cursor}`
    const target = { port: this.#port, path: `/ws?session=${this.#session}${cursor}` }
    try {
      this.#link = await LoadLink.open(target, {
        text: (text) => this.#hear(v.parse(Seen, JSON.parse(text))),
        closed: (code, reason) => {
          if (this.ending === undefined) this.ending = { code, reason }
          else if (!this.ended) this.faults.push(`its second connection was closed with ${code} ${reason}`)
        },
      })
    } catch (thrown) {
      this.refusals.push(thrown instanceof Refused ? String(thrown.status) : String(thrown))
    }
  }

  /** A store that is busy with the answers of others may refuse it: then again, under the same id. */
  ask(): void {
    this.#link?.send({ type: 'message.send', clientMessageId: this.#question, content: this.answer.prompt })
  }

  /** From now on it reads as its habit is. */
  stall(): void {
    if (this.habit === 'sips') this.#link?.hunger({ bytes: SIP_BYTES })
    else if (this.habit !== 'all') this.#link?.hunger('nothing')
  }

  /** A second of its life: one of the slow kind reads a little, and all but those who do nothing until they are cut say that they live. */
  tick(): void {
    if (this.habit === 'sips') this.#link?.sip()
    if (this.habit !== 'never' || this.ending !== undefined) this.#link?.send({ type: 'pong' })
  }

  /** It reads again, all that there is. */
  wake(): void {
    this.#link?.hunger('all')
  }

  leave(): void {
    this.#link?.destroy()
  }

  #hear({ type, id, resumed, code, clientMessageId, chunk, messages }: v.InferOutput<typeof Seen>): void {
    if (type === 'error' && clientMessageId !== undefined) {
      if (code === 'store_unavailable') setTimeout(() => this.ask(), RETRY_MS).unref()
      else this.faults.push(`its question was refused: ${code}`)
    }
    if (type === 'session.ready') {
      this.ready = true
      if (resumed !== 'tail') this.#cursor = undefined
    }
    if (type === 'session.snapshot') {
      this.has = 0
      const text = messages?.findLast(({ role }) => role === 'assistant')?.content ?? ''
      this.#read(text)
    }
    if (id !== undefined && chunk !== undefined) this.#cursor = id
    if (chunk?.type === 'RUN_FINISHED') this.ended = true
    if (chunk?.type === 'RUN_ERROR') this.faults.push('its run failed')
    if (chunk?.type !== 'TEXT_MESSAGE_CONTENT') return
    this.deltas++
    this.#read(chunk.delta ?? '')
  }

  #read(text: string): void {
    if (!this.answer.text.startsWith(text, this.has))
      this.faults.push(`of ${this.answer.key}: not what was said, at character ${this.has}`)
    this.has += text.length
  }
}
