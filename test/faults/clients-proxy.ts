import { once } from 'node:events'
import { createServer, type Server, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export type Direction = 'up' | 'down'

/** What a link does to the bytes that pass it. `up` is from the client to the server. */
export type LinkPlan = {
  /** The link breaks when so many bytes have passed in this direction: in a handshake, a header, a frame, a character. */
  readonly cut?: { readonly direction: Direction; readonly afterBytes: number }
  /** The server, too, hears of the break by a reset instead of an end. */
  readonly reset?: boolean
  /** Bytes that are forwarded at once. */
  readonly chunkBytes?: number
  /** Milliseconds before each piece. */
  readonly delayMs?: number
}

const HOST = '127.0.0.1'
const PLAIN: LinkPlan = {}

/** A TCP proxy for one client: it can cut at any byte, go silent without an end, delay, and split. */
export class CuttingProxy {
  readonly #server: Server
  readonly #target: number
  readonly #links = new Set<Link>()
  #next: LinkPlan = PLAIN
  #newest: Link | undefined
  /** Links that broke where their plan said. */
  cuts = 0

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client))
  }

  static async listen(target: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target)
    proxy.#server.listen(0, HOST)
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy is not listening')
    return address.port
  }

  /** How the next link behaves; those after it are plain again. */
  plan(next: LinkPlan): void {
    this.#next = next
  }

  /** The newest link breaks when `bytes` more have passed in this direction; at once with 0. */
  cut(direction: Direction, bytes: number): void {
    this.#newest?.cutAfter(direction, bytes)
  }

  /** From now on the newest link forwards nothing, not even an end: neither side can know. */
  hold(): void {
    this.#newest?.hold()
  }

  /** What was held goes on its way after all. */
  release(): void {
    for (const link of this.#links) link.release()
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    const plan = this.#next
    this.#next = PLAIN
    const link = new Link(client, this.#target, plan, () => {
      this.cuts++
    })
    this.#newest = link
    this.#links.add(link)
    void link.run().finally(() => this.#links.delete(link))
  }
}

/** Two sockets, and the bytes between them. */
class Link {
  readonly #client: Socket
  readonly #server: Socket
  readonly #plan: LinkPlan
  readonly #onCut: () => void
  readonly #left: Record<Direction, number> = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY }
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined

  constructor(client: Socket, target: number, plan: LinkPlan, onCut: () => void) {
    this.#client = client
    this.#plan = plan
    this.#onCut = onCut
    this.#server = new Socket({ allowHalfOpen: true })
    // The pumps fail with it; that is where a link ends.
    for (const side of [this.#client, this.#server]) side.on('error', () => undefined)
    this.#server.setNoDelay(true)
    this.#server.connect(target, HOST)
    if (plan.cut !== undefined) this.#left[plan.cut.direction] = plan.cut.afterBytes
  }

  async run(): Promise<void> {
    const both = [this.#pump(this.#client, this.#server, 'up'), this.#pump(this.#server, this.#client, 'down')]
    // A pump fails when its socket is destroyed: the link is over then, as it is at its end.
    await Promise.all(both).catch(() => undefined)
    // A silent link does not tell the other side that this one has gone.
    await this.#gate?.opened
    this.destroy()
  }

  cutAfter(direction: Direction, bytes: number): void {
    this.#left[direction] = bytes
    if (bytes === 0) this.#cut()
  }

  hold(): void {
    let open = (): void => {}
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    this.#gate ??= { opened, open }
  }

  release(): void {
    this.#gate?.open()
    this.#gate = undefined
  }

  destroy(): void {
    this.release()
    this.#client.destroy()
    this.#server.destroy()
  }

  async #pump(from: Socket, to: Socket, direction: Direction): Promise<void> {
    for await (const chunk of from) {
      if (!Buffer.isBuffer(chunk)) continue
      const size = this.#plan.chunkBytes ?? chunk.length
      for (let at = 0; at < chunk.length; at += size)
        if (!(await this.#pass(chunk.subarray(at, at + size), to, direction))) return
    }
    await this.#gate?.opened
    to.end()
  }

  /** False when the link broke here. */
  async #pass(piece: Buffer, to: Socket, direction: Direction): Promise<boolean> {
    if (this.#plan.delayMs !== undefined) await delay(this.#plan.delayMs)
    await this.#gate?.opened
    const left = this.#left[direction]
    const passes = piece.length < left ? piece : piece.subarray(0, left)
    this.#left[direction] -= passes.length
    if (passes.length > 0 && !to.write(passes)) await Promise.race([once(to, 'drain'), once(to, 'close')])
    if (this.#left[direction] > 0) return true
    this.#cut()
    return false
  }

  #cut(): void {
    this.#onCut()
    for (const side of [this.#client, this.#server]) {
      if (this.#plan.reset === true) side.resetAndDestroy()
      else side.destroySoon()
    }
  }
}
