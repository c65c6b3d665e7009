import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

const HOST = '127.0.0.1'

/** One port for the processes behind it: a new connection goes to the one that was named last, and stays with it. */
export class Balancer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #target: number

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer({ noDelay: true }, (client) => this.#join(client))
  }

  /** @param target port on loopback */
  static async listen(target: number): Promise<Balancer> {
    const balancer = new Balancer(target)
    balancer.#server.listen(0, HOST)
    await once(balancer.#server, 'listening')
    return balancer
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the balancer is not listening')
    return address.port
  }

  /** From now on new connections go there. */
  direct(target: number): void {
    this.#target = target
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket): void {
    const server = connect({ port: this.#target, host: HOST, noDelay: true })
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one)
      one.pipe(other)
      // Its close follows.
      one.on('error', () => undefined)
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroySoon()
      })
    }
  }
}
