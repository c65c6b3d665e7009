import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { LiveClient } from '../support/live-server.ts'

const IDLE = 20
/** What each idle client is closed with. */
const RESTARTING = 1012
/** Milliseconds between the first and the last idle client's close, at least: they are spread over a second. */
const MIN_SPREAD_MS = 400
const LOOK_MS = 10
const NS_PER_MS = 1e6

/** Clients that only listen, and what a drain does to them. */
export class IdleCrowd {
  readonly #clients: readonly LiveClient[]
  readonly #closes: Promise<readonly { readonly code: number; readonly at: number }[]>
  /** How long this process saw nothing. */
  readonly #blindness = monitorEventLoopDelay({ resolution: LOOK_MS })

  private constructor(clients: readonly LiveClient[]) {
    this.#clients = clients
    this.#closes = Promise.all(
      clients.map(async ({ socket }) => ({ code: (await socket.closed).code, at: performance.now() })),
    )
  }

  static async gather(port: number): Promise<IdleCrowd> {
    return new IdleCrowd(await Promise.all(Array.from({ length: IDLE }, () => LiveClient.connect(port, randomUUID()))))
  }

  get size(): number {
    return this.#clients.length
  }

  /** The drain is about to begin. */
  watch(): void {
    this.#blindness.enable()
  }

  /** I12: each was asked back before it was closed, and they do not all come back at once. What does not hold. */
  async verdict(): Promise<string[]> {
    const closes = await this.#closes
    const codes = closes.filter(({ code }) => code !== RESTARTING).map(({ code }) => code)
    const times = closes.map(({ at }) => at)
    const seen = Math.max(...times) - Math.min(...times)
    // Closes that came while nothing was seen may be as much further from the others.
    const blind = this.#blindness.max / NS_PER_MS
    this.#blindness.disable()
    const unasked = this.#clients.filter(
      ({ socket }) => !socket.frames.some((frame) => frame.includes('"server.draining"')),
    )
    return [
      ...(codes.length === 0 ? [] : [`I12 idle clients were closed with ${codes.join(', ')}`]),
      ...(seen + blind >= MIN_SPREAD_MS
        ? []
        : [`I12 idle clients were closed within ${seen.toFixed(0)} ms, ${blind.toFixed(0)} of them unseen at most`]),
      ...(unasked.length === 0 ? [] : [`I12 ${unasked.length} clients were closed without server.draining`]),
    ]
  }
}

/** What does not hold: `/readyz` says that a server is draining while it still serves, and never again that it is ready. */
export async function watchReadiness(url: string): Promise<string[]> {
  const seen: number[] = []
  for (;;) {
    const status = await fetch(`${url}/readyz`, { headers: { connection: 'close' } }).then(
      (response) => response.status,
      () => undefined,
    )
    if (status === undefined) break
    seen.push(status)
    await delay(LOOK_MS)
  }
  const off = seen.indexOf(503)
  if (off < 0) return ['I12 /readyz never went off']
  return seen.slice(off).includes(200) ? ['I12 /readyz came back'] : []
}
