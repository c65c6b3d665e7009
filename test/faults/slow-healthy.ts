import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { seen } from './counting-reader.ts'
import { LoadLink } from './load-link.ts'

/** Milliseconds over which the healthy begin, so that their answers do not keep step. */
const SPREAD_MS = 500

/** People who talk and read as usual: what they notice of the others is what counts. */
export class Healthy {
  readonly #links: LoadLink[] = []
  #waits: number[] = []
  #over = false
  readonly faults: string[] = []

  static async start(port: number, count: number): Promise<Healthy> {
    const healthy = new Healthy()
    await Promise.all(Array.from({ length: count }, (_, nth) => healthy.#enter(port, (nth * SPREAD_MS) / count)))
    return healthy
  }

  /** Milliseconds from the model's saying a token to its being read, of all tokens since this was last asked. */
  takeWaits(): { readonly p50: number; readonly tokens: number } {
    const waits = this.#waits.sort((a, b) => a - b)
    this.#waits = []
    return { p50: waits[waits.length >> 1] ?? Number.NaN, tokens: waits.length }
  }

  stop(): void {
    this.#over = true
    for (const link of this.#links) link.destroy()
  }

  async #enter(port: number, after: number): Promise<void> {
    await sleep(after)
    const ask = (): void => link.send({ type: 'message.send', clientMessageId: randomUUID(), content: 'How are you?' })
    const link = await LoadLink.open(
      { port, path: `/ws?session=${randomUUID()}` },
      {
        text: (text) => {
          const { type, chunk, code } = seen(text)
          if (chunk?.type === 'TEXT_MESSAGE_CONTENT') this.#read(chunk.delta ?? '')
          if (type === 'error' || chunk?.type === 'RUN_ERROR')
            this.faults.push(`a healthy client was told ${code ?? text}`)
          if (type === 'ping') link.send({ type: 'pong' })
          if (type === 'session.ready' || chunk?.type === 'RUN_FINISHED') ask()
        },
        closed: (code) => {
          if (!this.#over) this.faults.push(`a healthy client was closed with ${code}`)
        },
      },
    )
    this.#links.push(link)
  }

  /** A delta holds one token's time or several. */
  #read(delta: string): void {
    const now = performance.now()
    for (const at of delta.trim().split(' ')) this.#waits.push(now - Number(at))
  }
}
