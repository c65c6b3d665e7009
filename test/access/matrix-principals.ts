import { randomUUID } from 'node:crypto'
import { type MintedKey, mintKey } from '../../src/access/keys.ts'
import { Tickets } from '../../src/access/tickets.ts'
import type { KeyRow } from '../../src/ports/keys.ts'
import type { Owner } from '../../src/ports/store.ts'
import { answered } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import type { LiveServer } from '../support/live-server.ts'

export const [APP, OTHER_APP] = ['shop', 'bank']
const ACCOUNT = 'acme'
const HOME = 'https://shop.example'
const SCOPES = ['read', 'write', 'delete'] as const
/** Milliseconds; and one that is over when it begins. */
const LIFETIME = { ticketMs: 30_000, returnMs: 600_000 }
const OVER = { ticketMs: -2000, returnMs: -2000 }

/** One attempt of one principal: where, at whose session, and what it shows. */
export type Attempt = {
  readonly app: string
  readonly sessionId: string
  readonly headers: Readonly<Record<string, string>>
  readonly ticket?: string
  /** An App and a key of the account that has the session. */
  readonly target?: { readonly app: string; readonly key: string }
  /** Called when it is connected: takes its right to be there away. */
  readonly ends?: () => Promise<void>
}

type Principal = (world: World) => Promise<Attempt>

/** What the server holds, and the makers of what principals show. */
export class World {
  readonly #server: LiveServer
  readonly #keys = new Map<string, Promise<MintedKey>>()

  constructor(server: LiveServer) {
    this.#server = server
  }

  async prepare(): Promise<void> {
    for (const id of [APP, OTHER_APP]) {
      const definition = { id, name: id, preamble: '', model: { default: 'scripted/demo' } }
      await this.#server.store.putApp({ id, definition, updatedAt: Date.now(), account: ACCOUNT })
    }
  }

  /** Another App of the account, to be changed or deleted. */
  async newApp(): Promise<string> {
    const id = `a${randomUUID().slice(0, 8)}`
    const definition = { id, name: id, preamble: '', model: { default: 'scripted/demo' } }
    await this.#server.store.putApp({ id, definition, updatedAt: Date.now(), account: ACCOUNT })
    return id
  }

  /** A session that exists, with a run that ended. */
  async session(owner: Owner): Promise<string> {
    const write = answered({ ...owner, updatedAt: Date.now() })
    await this.#server.store.commit(write, SOON)
    return write.sessionId
  }

  /** The same key for the same wish, as keys are slow to make. */
  key(over: Partial<KeyRow> = {}): Promise<MintedKey> {
    const wish = JSON.stringify(over)
    const made = this.#keys.get(wish) ?? this.newKey(over)
    this.#keys.set(wish, made)
    return made
  }

  async newKey(over: Partial<KeyRow> = {}): Promise<MintedKey> {
    const minted = await mintKey(over.kind ?? 'secret')
    const origins = over.kind === 'publishable' ? [HOME] : []
    const { id, kind, hash } = minted
    const row = { id, kind, hash, account: ACCOUNT, apps: [APP], scopes: SCOPES, origins, addresses: [], createdAt: 1 }
    await this.#server.store.createKey({ ...row, ...over })
    return minted
  }

  async ticket(session: string, user: string, keyId: string, times = LIFETIME): Promise<string> {
    const bearer = { session, user, keyId, scopes: [...SCOPES], app: APP }
    return (await new Tickets(this.#server.store, times).mint(bearer, Date.now())).ticket
  }

  async revoke(id: string): Promise<void> {
    await this.#server.store.revokeKey(id, Date.now())
  }

  async use(ticket: string): Promise<void> {
    const { store } = this.#server
    const tickets = new Tickets(store, LIFETIME)
    await tickets.use(await tickets.read(ticket))
  }
}

const OWN: Owner = { app: APP, account: ACCOUNT }

/** Someone with this key, at a session of its account. */
function holder(over: Partial<KeyRow>, headers: Readonly<Record<string, string>> = {}): Principal {
  return async (world) => {
    const { key } = await world.key(over)
    return { app: APP, sessionId: await world.session(OWN), headers: { 'x-api-key': key, ...headers } }
  }
}

type Ticketed = { readonly owner?: string; readonly session?: string; readonly times?: typeof LIFETIME }

/** Ann with a ticket, from a page. */
function ticketed(
  { owner = 'ann', session, times }: Ticketed,
  spoil?: (world: World, ticket: string) => Promise<void>,
) {
  return async (world: World): Promise<Attempt> => {
    const { id } = await world.key()
    const sessionId = await world.session({ ...OWN, user: owner })
    const ticket = await world.ticket(session ?? sessionId, 'ann', id, times)
    await spoil?.(world, ticket)
    return { app: APP, sessionId, ticket, headers: { origin: HOME } }
  }
}

/** Someone who administers, at an App, a key and a session of the account `acme`. */
function administrator(over: (app: string) => Partial<KeyRow>): Principal {
  return async (world) => {
    const app = await world.newApp()
    const [{ key }, target] = await Promise.all([
      world.newKey(over(app)),
      world.newKey({ apps: [app], scopes: ['admin'] }),
    ])
    const sessionId = await world.session(OWN)
    return { app: APP, sessionId, headers: { 'x-api-key': key }, target: { app, key: target.id } }
  }
}

/** Every kind of principal, by its column in the matrix. */
export const PRINCIPALS: Readonly<Record<string, Principal>> = {
  nobody: async (world) => ({ app: APP, sessionId: await world.session(OWN), headers: {} }),
  visitor: async (world) => ({ app: 'default', sessionId: await world.session({ app: 'default' }), headers: {} }),
  page: holder({ kind: 'publishable' }, { origin: HOME }),
  elsewhere: holder({ kind: 'publishable' }, { origin: 'https://evil.example' }),
  server: holder({}),
  browser: holder({}, { origin: HOME }),
  otherapp: holder({ apps: [OTHER_APP] }),
  otherip: holder({ addresses: ['203.0.113.0/24'] }),
  revoked: holder({ revokedAt: 1 }),
  expired: holder({ expiresAt: 2 }),
  wrong: async (world) => {
    const { key } = await world.newKey()
    return { app: APP, sessionId: await world.session(OWN), headers: { 'x-api-key': `${key}x` } }
  },
  reader: holder({ scopes: ['read'] }),
  writer: holder({ scopes: ['write'] }),
  deleter: holder({ scopes: ['delete'] }),
  stranger: holder({ account: 'other' }),
  tab: async (world) => {
    const { key } = await world.key({})
    const sessionId = await world.session({ ...OWN, user: 'ann' })
    return { app: APP, sessionId, headers: { 'x-api-key': key } }
  },
  ann: ticketed({}),
  bob: ticketed({ owner: 'bob' }),
  astray: ticketed({ session: randomUUID() }),
  used: ticketed({}, (world, ticket) => world.use(ticket)),
  late: ticketed({ times: OVER }),
  admin: administrator((app) => ({ scopes: ['admin'], apps: [APP, app] })),
  otheradmin: administrator((app) => ({ scopes: ['admin'], apps: [APP, app], account: 'other' })),
  operator: administrator(() => ({ scopes: ['operator'], apps: [], account: 'default' })),
  orphan: async (world) => {
    const { id } = await world.key({ revokedAt: 1 })
    const sessionId = await world.session({ ...OWN, user: 'ann' })
    return { app: APP, sessionId, ticket: await world.ticket(sessionId, 'ann', id), headers: { origin: HOME } }
  },
  ending: async (world) => {
    const { key, id } = await world.newKey()
    const sessionId = await world.session(OWN)
    return { app: APP, sessionId, headers: { 'x-api-key': key }, ends: () => world.revoke(id) }
  },
}
