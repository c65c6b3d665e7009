import { once } from 'node:events'
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Dice } from '../support/dice.ts'
import { freePort } from '../support/free-port.ts'

/**
 * How the way to Postgres behaves. `slow`: what Postgres says comes that much later. `cutting`: that share of what it says is
 * cut in the middle, and the connection with it, when the statement may have been carried out. `failing`: that share of the
 * statements is answered with an error instead of being carried out.
 */
export type Way =
  | { readonly kind: 'open' | 'refusing' | 'silent' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'cutting' | 'failing'; readonly share: number }

const OPEN: Way = { kind: 'open' }
/** Message types of Postgres' protocol, version 3: Parse, Bind and Query begin what may fail; Sync ends it. */
const STATEMENTS = new Set(['P', 'B', 'Q'].map((letter) => letter.charCodeAt(0)))
const SYNC = Buffer.from([0x53, 0, 0, 0, 4])
const READY_IDLE = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])
/** What servers say of themselves and not of a statement: too little memory, an I/O error, a serialization failure, too many locks. */
const SQLSTATES = ['53200', '58030', '40001', '53300'] as const

type Pair = {
  readonly client: Socket
  readonly server: Socket
  ready: boolean
  /** The last of the answers that are late; what comes after it waits for it. */
  late: Promise<void> | undefined
}

/** A TCP proxy in front of a Postgres server, whose behaviour changes while it runs. */
export class StoreProxy {
  readonly #target: NetConnectOpts
  readonly #dice: Dice
  readonly #pairs = new Set<Pair>()
  #server: Server | undefined
  /** The same when it comes back. */
  #port: number | undefined
  #way = OPEN
  /** Answers cut and statements failed so far. */
  done = 0

  constructor(target: NetConnectOpts, dice: Dice) {
    this.#target = target
    this.#dice = dice
  }

  get port(): number {
    if (this.#port === undefined) throw new Error('it does not listen')
    return this.#port
  }

  async listen(): Promise<void> {
    this.#port ??= await freePort()
    const server = createServer((client) => this.#accept(client)).listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
  }

  async behave(way: Way): Promise<void> {
    const before = this.#way
    this.#way = way
    if (way.kind === 'refusing') return this.#shut()
    if (before.kind === 'refusing') await this.listen()
    for (const { client, server } of this.#pairs) {
      if (way.kind === 'silent') for (const socket of [client, server]) socket.pause()
      else for (const socket of [client, server]) socket.resume()
    }
  }

  async close(): Promise<void> {
    await this.#shut()
  }

  async #shut(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const { client, server: upstream } of this.#pairs) for (const socket of [client, upstream]) socket.destroy()
    if (server === undefined) return
    server.close()
    await once(server, 'close')
  }

  #accept(client: Socket): void {
    const server = connect(this.#target)
    const pair: Pair = { client, server, ready: false, late: undefined }
    this.#pairs.add(pair)
    const end = () => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      // An end by force is an error as well; the close that follows says all.
      socket.on('error', () => undefined)
      socket.on('close', end)
      if (this.#way.kind === 'silent') socket.pause()
    }
    client.on('data', (bytes: Buffer) => this.#ask(pair, bytes))
    server.on('data', (bytes: Buffer) => this.#answer(pair, bytes))
  }

  #ask(pair: Pair, bytes: Buffer): void {
    const way = this.#way
    const whole = STATEMENTS.has(bytes[0] ?? 0) && (bytes[0] === 0x51 || bytes.subarray(-SYNC.length).equals(SYNC))
    if (way.kind !== 'failing' || !pair.ready || !whole || !this.#dice.chance(way.share)) {
      if (!pair.server.destroyed) pair.server.write(bytes)
      return
    }
    this.done++
    pair.client.write(Buffer.concat([errorResponse(this.#dice.pick(SQLSTATES)), READY_IDLE]))
  }

  #answer(pair: Pair, bytes: Buffer): void {
    const way = this.#way
    if (way.kind === 'cutting' && pair.ready && this.#dice.chance(way.share)) {
      this.done++
      pair.client.write(bytes.subarray(0, bytes.length >> 1))
      pair.client.destroySoon()
      pair.server.destroy()
      return
    }
    // The start of a connection is left alone: what fails is a statement.
    if (bytes.subarray(-READY_IDLE.length).equals(READY_IDLE)) pair.ready = true
    const wait = way.kind === 'slow' ? way.ms : 0
    if (wait === 0 && pair.late === undefined) pair.client.write(bytes)
    else this.#later(pair, bytes, delay(wait))
  }

  #later(pair: Pair, bytes: Buffer, due: Promise<unknown>): void {
    const sent = Promise.all([due, pair.late]).then(() => {
      if (!pair.client.destroyed) pair.client.write(bytes)
      if (pair.late === sent) pair.late = undefined
      return undefined
    })
    pair.late = sent
  }
}

/** Severity, code and message, each a letter and a text that ends with NUL. */
function errorResponse(sqlstate: string): Buffer {
  const fields = ['SERROR', 'VERROR', `C${sqlstate}`, 'Mmade by a fault'].map((field) => `${field}\0`).join('')
  const body = Buffer.from(`${fields}\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
