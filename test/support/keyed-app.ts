import { randomUUID } from 'node:crypto'
import { type MintedKey, mintKey } from '../../src/access/keys.ts'
import type { KeyRow } from '../../src/ports/keys.ts'
import type { LiveServer } from './live-server.ts'
import { SocketClient } from './socket-client.ts'

type Frame = Readonly<Record<string, unknown>> & {
  readonly type?: string
  readonly chunk?: Readonly<Record<string, unknown>> & { readonly type: string }
}

/** An App with a secret key of its own, and what its clients do. */
export class KeyedApp {
  readonly id: string
  readonly key: MintedKey
  readonly #server: LiveServer

  private constructor(id: string, key: MintedKey, server: LiveServer) {
    this.id = id
    this.key = key
    this.#server = server
  }

  /** `limits`: of its definition. */
  static async make(
    server: LiveServer,
    { id = `app-${randomUUID().slice(0, 8)}`, limits, over = {} }: KeyedAppOptions = {},
  ): Promise<KeyedApp> {
    const model = { default: 'scripted/demo' }
    const definition = { id, name: id, preamble: '', model, ...(limits === undefined ? {} : { limits }) }
    await server.store.putApp({ id, definition, updatedAt: Date.now() })
    return new KeyedApp(id, await KeyedApp.#mint(server, id, over), server)
  }

  /** The same App by another key. */
  async withKey(over: Partial<KeyRow> = {}): Promise<KeyedApp> {
    return new KeyedApp(this.id, await KeyedApp.#mint(this.#server, this.id, over), this.#server)
  }

  /** The same on another server of the same store. */
  on(server: LiveServer): KeyedApp {
    return new KeyedApp(this.id, this.key, server)
  }

  static async #mint(server: LiveServer, app: string, over: Partial<KeyRow>): Promise<MintedKey> {
    const minted = await mintKey('secret')
    const { id, kind, hash } = minted
    const may = { scopes: ['read', 'write', 'delete'], origins: [], addresses: [] } as const
    await server.store.createKey({ id, kind, hash, account: app, apps: [app], ...may, createdAt: Date.now(), ...over })
    return minted
  }

  /** Resolves once the session is ready; rejects as the socket is refused. */
  async connect(session: string = randomUUID()): Promise<KeyedClient> {
    const url = `ws://127.0.0.1:${this.#server.port}/ws?app=${this.id}&session=${session}`
    const socket = await SocketClient.connect(url, { headers: { 'x-api-key': this.key.key } })
    const client = new KeyedClient(socket, session)
    await client.until(({ type }) => type === 'session.ready')
    return client
  }

  fetch(path: string, init: Omit<RequestInit, 'headers'> = {}): Promise<Response> {
    const headers = { 'x-api-key': this.key.key, 'content-type': 'application/json' }
    return fetch(`http://127.0.0.1:${this.#server.port}${path}`, { ...init, headers })
  }
}

export type KeyedAppOptions = {
  readonly id?: string
  readonly limits?: Readonly<Record<string, number>>
  readonly over?: Partial<KeyRow>
}

export class KeyedClient {
  readonly socket: SocketClient
  readonly session: string

  constructor(socket: SocketClient, session: string) {
    this.socket = socket
    this.session = session
  }

  /** Reads on to a frame. */
  async until(matches: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const frame: Frame = JSON.parse(await this.socket.next())
      if (matches(frame)) return frame
    }
  }

  /** Sends a message; its ack, or the error in its place. */
  async send(content: string, clientMessageId: string = randomUUID()): Promise<Frame> {
    this.socket.sendJson({ type: 'message.send', id: clientMessageId, clientMessageId, content })
    return this.until(({ type, ref }) => (type === 'ack' || type === 'error') && ref === clientMessageId)
  }

  command(type: string, fields: Readonly<Record<string, unknown>> = {}): Promise<Frame> {
    const id = randomUUID()
    this.socket.sendJson({ type, id, ...fields })
    return this.until((frame) => (frame.type === 'ack' || frame.type === 'error') && frame['ref'] === id)
  }

  /** The end of the run that is on. */
  end(): Promise<Frame> {
    return this.until(({ chunk }) => chunk?.type === 'RUN_FINISHED' || chunk?.type === 'RUN_ERROR')
  }

  rateLimit(): Promise<Frame> {
    return this.until(({ type }) => type === 'rate_limit')
  }
}
