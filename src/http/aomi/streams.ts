import type { PushedEvents } from './pushed-events.ts'
import { eventText } from './sse.ts'

/** Milliseconds between signs of life: below the 30 s at which common proxies cut what is silent. */
const KEEP_ALIVE_MS = 15_000
const KEEP_ALIVE = ': keep-alive\n\n'

/** A stream with what it is of. */
export type OpenStream = { readonly sessionId: string; readonly stream: PushedEvents }

/** The open streams of this process, by session. */
export class Streams {
  readonly #streams = new Map<string, Set<PushedEvents>>()
  /** Those that have a connection of their own, oldest first. */
  readonly #alone = new Map<PushedEvents, OpenStream & { readonly address: string }>()
  /** What ends answers that are streamed, by the key that asked. */
  readonly #answers = new Map<string, Set<() => void>>()
  #timer: NodeJS.Timeout | undefined

  /** `address`: where its browser is, when the stream takes a connection of its own. */
  add(sessionId: string, stream: PushedEvents, address?: string): void {
    if (address !== undefined) this.#alone.set(stream, { sessionId, stream, address })
    this.#streams.set(sessionId, (this.#streams.get(sessionId) ?? new Set()).add(stream))
    this.#timer ??= setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS)
  }

  remove(sessionId: string, stream: PushedEvents): void {
    this.#alone.delete(stream)
    const streams = this.#streams.get(sessionId)
    streams?.delete(stream)
    if (streams?.size === 0) this.#streams.delete(sessionId)
    if (this.#streams.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Calls `end` when the key is revoked before the returned function is called. */
  answering(keyId: string | undefined, end: () => void): () => void {
    if (keyId === undefined) return () => undefined
    const own = (this.#answers.get(keyId) ?? new Set()).add(end)
    this.#answers.set(keyId, own)
    return () => {
      own.delete(end)
      if (own.size === 0) this.#answers.delete(keyId)
    }
  }

  /** Of one address, oldest first. */
  at(address: string): readonly OpenStream[] {
    return [...this.#alone.values()].filter((one) => one.address === address)
  }

  /** To each client of the session once. */
  tell(sessionId: string, event: object): void {
    for (const stream of this.#streams.get(sessionId) ?? []) stream.send(eventText(event))
  }

  /** The keys were revoked, or may not use their App any more. */
  revoked(keyIds: ReadonlySet<string>): void {
    for (const streams of this.#streams.values())
      for (const stream of streams) if (stream.keyId !== undefined && keyIds.has(stream.keyId)) stream.end()
    for (const keyId of keyIds) for (const end of this.#answers.get(keyId) ?? []) end()
  }

  #keepAlive(): void {
    for (const streams of this.#streams.values()) for (const stream of streams) stream.send(KEEP_ALIVE)
  }
}
