import { randomUUID } from 'node:crypto'
import { mintKey } from '../../src/access/keys.ts'
import type { KeyRow } from '../../src/ports/keys.ts'
import type { LiveServer } from './live-server.ts'

export type AomiSnapshot = {
  readonly messages: readonly {
    readonly sender: string
    readonly content: string
    readonly timestamp: string
    readonly is_streaming: boolean
    readonly tool_result: readonly [string, string] | null
  }[]
  readonly system_events: readonly Record<string, unknown>[]
  readonly title: string | null
  readonly is_processing: boolean
  readonly status: string
  readonly run_id?: string | null
  readonly interrupted?: boolean
  readonly user_state: Record<string, unknown>
}

type Query = Readonly<Record<string, string>>
type Headers = Readonly<Record<string, string>>

/** Asks as the client in the field does: the session in a header, everything else in the query, the key with a chat only. */
export class AomiClient {
  readonly session: string
  readonly id = randomUUID()
  readonly #server: LiveServer
  readonly #key: string | undefined

  constructor(server: LiveServer, session: string = randomUUID(), key?: string) {
    this.#server = server
    this.session = session
    this.#key = key
  }

  request(method: string, path: string, query: Query = {}, headers: Headers = {}, body?: string): Promise<Response> {
    const url = `http://127.0.0.1:${this.#server.port}${path}?${new URLSearchParams(query).toString()}`
    const all = { 'x-session-id': this.session, ...headers }
    return fetch(url, { method, headers: all, ...(body === undefined ? {} : { body }) })
  }

  chat(message: string, query: Query = {}, headers: Headers = {}): Promise<Response> {
    const key: Headers = this.#key === undefined ? {} : { 'x-api-key': this.#key }
    const all = { message, app: 'default', client_id: this.id, ...query }
    return this.request('POST', '/api/chat', all, { ...key, ...headers })
  }

  state(query: Query = {}, headers: Headers = {}): Promise<Response> {
    return this.request('GET', '/api/state', { client_id: this.id, ...query }, headers)
  }

  interrupt(query: Query = {}): Promise<Response> {
    return this.request('POST', '/api/interrupt', query)
  }

  /** Polls until nothing is on. */
  async done(): Promise<AomiSnapshot> {
    for (;;) {
      const snapshot = await snapshotOf(this.state())
      if (!snapshot.is_processing) return snapshot
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

export async function snapshotOf(answer: Promise<Response>): Promise<AomiSnapshot> {
  const response = await answer
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  const snapshot: AomiSnapshot = JSON.parse(await response.text())
  return snapshot
}

/** The lines of `sender: content`; a tool's as `name = result`. */
export function linesOf({ messages }: AomiSnapshot): string[] {
  return messages.map(({ sender, content, tool_result: tool }) =>
    tool === null ? `${sender}: ${content}` : `${tool[0]} = ${tool[1]}`,
  )
}

/** Makes an App of this id and a key for it. */
export async function addKeyedApp(
  { store }: LiveServer,
  id: string,
  keyless: 'off' | 'read' | 'full',
  over: Partial<KeyRow> = {},
  tools: readonly unknown[] = ['calculator'],
): Promise<string> {
  const definition = {
    id,
    name: id,
    preamble: 'Be kind.',
    model: { default: 'scripted/demo', allowed: ['scripted/other'] },
    tools,
    aomi: { keyless },
  }
  await store.putApp({ id, definition, updatedAt: 0 })
  const { id: keyId, hash, key } = await mintKey(over.kind ?? 'secret')
  await store.createKey({
    id: keyId,
    account: 'acme',
    addresses: [],
    kind: 'secret',
    hash,
    apps: [id],
    scopes: ['read', 'write', 'delete'],
    origins: [],
    createdAt: Date.now(),
    ...over,
  })
  return key
}
