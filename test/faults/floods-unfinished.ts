import { connect } from 'node:net'
import type { Flood } from './flood.ts'
import { within } from './watched-server.ts'

const SOCKETS = { short: 300, full: 3000 } as const
/** Milliseconds between two drops of a slow header. */
const DROP_MS = 200
/** Milliseconds that are given: what PARLEY_HANDSHAKE_TIMEOUT is set to; uws has its own time compiled in. */
const TIMEOUT_MS = { ws: 1000, uws: 10_000 } as const
/** Milliseconds: the transports look once a second and every four, and both sides share a busy machine. */
const GRACE_MS = 5000

const first = (text: string) => (drop: number) => (drop === 0 ? text : '')

/** What each kind says, drop by drop. */
const KINDS: Readonly<Record<string, (drop: number) => string>> = {
  'says nothing': first(''),
  'half a request line': first('GET /ws?sess'),
  'headers without an end': first('GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nX-Half: '),
  'a header drop by drop': (drop) =>
    drop === 0 ? 'GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Slow: ' : String(drop % 10),
}

/** Connections that never finish their handshake are ended after the handshake's time, also those that keep talking. */
export class UnfinishedHandshakes {
  readonly #flood: Flood
  readonly #held: readonly Held[]
  readonly #talk: NodeJS.Timeout
  #drop = 0

  private constructor(flood: Flood, held: readonly Held[]) {
    this.#flood = flood
    this.#held = held
    this.#say()
    this.#talk = setInterval(() => this.#say(), DROP_MS)
  }

  static async hold(flood: Flood): Promise<UnfinishedHandshakes> {
    const kinds = Object.keys(KINDS)
    const held = Array.from({ length: SOCKETS[flood.size] }, (_, nth) =>
      hold(flood.server.port, kinds[nth % kinds.length] ?? ''),
    )
    return new UnfinishedHandshakes(flood, await Promise.all(held))
  }

  /** Waits until the last one's time is over. */
  async end(): Promise<void> {
    const { transport } = this.#flood
    const timeout = TIMEOUT_MS[transport]
    const open = (): Held[] => this.#held.filter(({ endedAfterMs }) => endedAfterMs === undefined)
    await within(timeout + GRACE_MS, () => open().every(({ ageMs }) => ageMs > timeout + GRACE_MS))
    clearInterval(this.#talk)
    for (const kind of Object.keys(KINDS)) this.#judge(kind, timeout)
    for (const peer of this.#held) peer.leave()
  }

  #judge(kind: string, timeout: number): void {
    const { notes } = this.#flood
    const peers = this.#held.filter((peer) => peer.kind === kind)
    const ended = peers.flatMap(({ endedAfterMs }) => endedAfterMs ?? [])
    notes.add(`ended of ${peers.length} (${kind}), the last after ${Math.max(0, ...ended).toFixed(0)} ms`, ended.length)
    if (ended.length < peers.length) notes.broken(`${peers.length - ended.length} are still open (${kind})`)
    const early = ended.filter((ms) => ms < timeout / 2).length
    if (early > 0) notes.broken(`${early} were ended before their time (${kind})`)
  }

  #say(): void {
    for (const peer of this.#held) peer.say(KINDS[peer.kind]?.(this.#drop) ?? '')
    this.#drop++
  }
}

type Held = {
  readonly kind: string
  /** Milliseconds since its connect. */
  readonly ageMs: number
  say(text: string): void
  leave(): void
  /** Milliseconds from the connect to its end; undefined while it is open. */
  readonly endedAfterMs: number | undefined
}

function hold(port: number, kind: string): Promise<Held> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let endedAfterMs: number | undefined
    let started = 0
    const end = (): void => {
      endedAfterMs ??= performance.now() - started
    }
    // A server that answers 408 first says so; what it says is not of interest.
    socket.resume()
    socket.on('end', end).on('close', end)
    socket.on('error', reject)
    socket.once('connect', () => {
      started = performance.now()
      resolve({
        kind,
        get ageMs() {
          return performance.now() - started
        },
        say: (text) => void (socket.writable && text !== '' && socket.write(text)),
        leave: () => socket.destroy(),
        get endedAfterMs() {
          return endedAfterMs
        },
      })
    })
  })
}
