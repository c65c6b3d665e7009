import * as v from 'valibot'
import type { HandshakeVerdict, SendResult, Socket, SocketHandler } from '../../src/ports/transport.ts'
import { EventSchema } from '../../src/protocol/events.ts'

/** RUN_ERROR as this wire has it, and all other events as they are. */
const ChunkSchema = v.intersect([EventSchema, v.object({ runId: v.optional(v.string()) })])
const EnvelopeSchema = v.strictObject({ id: v.string(), chunk: ChunkSchema })

export type Chunk = v.InferOutput<typeof ChunkSchema>
export type ChunkOf<T extends Chunk['type']> = Extract<Chunk, { type: T }>
/** `id` is absent on a bare event. */
export type AliasFrame = { readonly id?: string; readonly chunk: Chunk }

export type Turn = { readonly runId: string; readonly messages: readonly unknown[] }

export function user(id: string, content: unknown = `text of ${id}`) {
  return { id, role: 'user', content }
}

/** A peer that speaks TanStack AI's wire, played by the test. Anything else that it is sent fails the test. */
export class AliasPeer implements Socket {
  readonly frames: AliasFrame[] = []
  readonly faults: string[] = []
  closedWith: { readonly code: number; readonly reason: string } | undefined
  stalled = false
  readonly #handler: SocketHandler
  #held: string[] = []
  #waiters: (() => void)[] = []

  constructor(verdict: HandshakeVerdict) {
    if (!verdict.accept) throw new Error(`refused: ${verdict.refusal.body}`)
    this.#handler = verdict.handler
    this.#handler.opened(this)
  }

  send(text: string): SendResult {
    if (this.closedWith !== undefined) return 'dropped'
    if (!this.stalled) {
      this.#deliver(text)
      return 'sent'
    }
    this.#held.push(text)
    return 'queued'
  }

  together(work: () => void): void {
    work()
  }

  buffered(): number {
    return this.#held.reduce((sum, text) => sum + text.length, 0)
  }

  close(code: number, reason: string): void {
    if (this.closedWith !== undefined) return
    for (const text of this.#held.splice(0)) this.#deliver(text)
    this.closedWith = { code, reason }
    queueMicrotask(() => this.#handler.closed(code))
    this.#wake()
  }

  ping(): void {}

  join(group: string): void {
    this.faults.push(`joined ${group}`)
  }

  leave(): void {}

  read(): void {
    this.stalled = false
    for (const text of this.#held.splice(0)) this.#deliver(text)
    this.#handler.drained()
  }

  cut(): void {
    this.#held = []
    this.close(1006, '')
  }

  raw(text: string): void {
    if (this.closedWith === undefined) this.#handler.received(text)
  }

  json(frame: unknown): void {
    this.raw(JSON.stringify(frame))
  }

  binary(): void {
    this.#handler.receivedBinary()
  }

  /** A RunAgentInput as the client sends it. */
  turn({ runId, messages }: Turn, more: object = {}): void {
    const rest = { state: {}, tools: [], context: [], forwardedProps: {}, data: {} }
    this.json({ threadId: 'any', runId, messages, ...rest, ...more })
  }

  abort(runId: string): void {
    this.json({ type: 'abort', runId })
  }

  get chunks(): Chunk[] {
    return this.frames.map(({ chunk }) => chunk)
  }

  get types(): Chunk['type'][] {
    return this.chunks.map(({ type }) => type)
  }

  get ids(): string[] {
    return this.frames.flatMap(({ id }) => (id === undefined ? [] : [id]))
  }

  get text(): string {
    return this.chunks.map((chunk) => (chunk.type === 'TEXT_MESSAGE_CONTENT' ? chunk.delta : '')).join('')
  }

  /** The nth event of a type, seen or still to come. */
  async event<T extends Chunk['type']>(type: T, nth = 0): Promise<ChunkOf<T>> {
    const isOfType = (chunk: Chunk): chunk is ChunkOf<T> => chunk.type === type
    while (true) {
      const found = this.chunks.filter(isOfType)[nth]
      if (found !== undefined) return found
      await this.#next()
    }
  }

  async closed(): Promise<number> {
    while (this.closedWith === undefined) await this.#next()
    return this.closedWith.code
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
    })
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  #deliver(text: string): void {
    const json: unknown = JSON.parse(text)
    if (v.is(v.object({ type: v.literal('ping') }), json)) return
    const envelope = v.safeParse(EnvelopeSchema, json)
    const bare = v.safeParse(ChunkSchema, json)
    if (envelope.success) this.frames.push(envelope.output)
    else if (bare.success) this.frames.push({ chunk: bare.output })
    else this.faults.push(`not a frame of this wire: ${text}`)
    this.#wake()
  }
}
