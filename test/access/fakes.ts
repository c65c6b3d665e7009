import { type AccessSettings, createAccess, type RunningAccess } from '../../src/access/access.ts'
import { Hosts } from '../../src/access/hosts.ts'
import { type MintedKey, mintKey } from '../../src/access/keys.ts'
import { createApps } from '../../src/apps/registry.ts'
import type { AccessRequest } from '../../src/ports/access.ts'
import type { AccountStore } from '../../src/ports/accounts.ts'
import type { App, AppLimits } from '../../src/ports/apps.ts'
import type { KeyKind, KeyRow, KeyStore, KeyUse, Successor } from '../../src/ports/keys.ts'
import type { AppRow, AppStore, Change, ChangeFeed, FoundApp } from '../../src/ports/store.ts'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import type { TicketStore } from '../../src/ports/tickets.ts'
import type { UsageStore } from '../../src/ports/usage.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ACCESS } from '../support/access-settings.ts'

/** Keys and Apps in maps, with what was asked of them; `down` makes every call fail as a lost store does. */
export class FakeStore implements KeyStore, AccountStore, UsageStore, AppStore, TicketStore, ChangeFeed {
  readonly keys = new Map<string, KeyRow>()
  readonly apps = new Map<string, FoundApp>()
  readonly plans = new Map<string, string | undefined>()
  /** Of all ended runs, by App. */
  readonly tokens = new Map<string, number>()
  readonly touched: string[][] = []
  readonly tickets = new Set<string>()
  secret: string | undefined
  readonly asked: string[] = []
  down = false
  /** Runs after a key was read and before it is handed out. */
  afterRead: (id: string) => void = () => undefined
  /** Runs after the keys were listed and before the list is handed out. */
  afterList: () => Promise<void> = async () => undefined
  readonly #listeners = new Set<(change: Change) => void>()

  tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get listeners(): number {
    return this.#listeners.size
  }

  async findKey(id: string): Promise<KeyRow | undefined> {
    this.#use(`findKey ${id}`)
    const row = this.keys.get(id)
    this.afterRead(id)
    return row
  }

  async createKey(row: KeyRow): Promise<void> {
    this.#use(`createKey ${row.id}`)
    if (row.apps.some((app) => !this.apps.has(app))) throw new ParleyError('app_not_found')
    this.keys.set(row.id, row)
  }

  async listKeys(): Promise<readonly KeyRow[]> {
    this.#use('listKeys')
    const rows = [...this.keys.values()]
    await this.afterList()
    return rows
  }

  async revokeKey(id: string, at: number): Promise<boolean> {
    this.#use(`revokeKey ${id}`)
    const row = this.keys.get(id)
    if (row === undefined) return false
    this.keys.set(id, { ...row, revokedAt: row.revokedAt ?? at })
    this.tell({ kind: 'key', id })
    return true
  }

  async rotateKey(id: string, successor: Successor, until: number): Promise<boolean> {
    this.#use(`rotateKey ${id}`)
    const row = this.keys.get(id)
    if (row === undefined || row.revokedAt !== undefined) return false
    this.keys.set(id, { ...row, expiresAt: Math.min(until, row.expiresAt ?? until) })
    const { expiresAt: _mine, tag: _tag, ...kept } = row
    this.keys.set(successor.id, { ...kept, ...successor })
    for (const each of [id, successor.id]) this.tell({ kind: 'key', id: each })
    return true
  }

  async touchKeys(uses: readonly KeyUse[]): Promise<void> {
    this.#use('touchKeys')
    this.touched.push(uses.map(({ id }) => id))
    for (const { id, tag } of uses) {
      const row = this.keys.get(id)
      if (row !== undefined && tag !== undefined) this.keys.set(id, { ...row, tag: row.tag ?? tag })
    }
  }

  async planOf(account: string): Promise<string | undefined> {
    this.#use(`planOf ${account}`)
    return this.plans.get(account)
  }

  async setPlan(account: string, plan: string | undefined): Promise<boolean> {
    this.#use(`setPlan ${account}`)
    if (!this.plans.has(account)) return false
    this.plans.set(account, plan)
    this.tell({ kind: 'account', id: account })
    return true
  }

  async tokensSince(app: string, since: number): Promise<number> {
    this.#use(`tokensSince ${app} ${since}`)
    return this.tokens.get(app) ?? 0
  }

  async signingSecret(candidate: string): Promise<string> {
    this.#use('signingSecret')
    this.secret ??= candidate
    return this.secret
  }

  async useTicket(id: string): Promise<boolean> {
    this.#use('useTicket')
    const isNew = !this.tickets.has(id)
    this.tickets.add(id)
    return isNew
  }

  async getApp(id: string): Promise<FoundApp | undefined> {
    this.#use(`getApp ${id}`)
    return this.apps.get(id)
  }

  async listApps(): Promise<readonly AppRow[]> {
    this.#use('listApps')
    return [...this.apps.values()]
  }

  async putApp(row: AppRow): Promise<void> {
    this.#use(`putApp ${row.id}`)
    this.apps.set(row.id, row)
    this.tell({ kind: 'app', id: row.id })
  }

  async deleteApp(id: string): Promise<boolean> {
    this.#use(`deleteApp ${id}`)
    const existed = this.apps.delete(id)
    for (const [key, row] of this.keys) this.keys.set(key, { ...row, apps: row.apps.filter((app) => app !== id) })
    this.tell({ kind: 'app', id })
    return existed
  }

  #use(what: string): void {
    this.asked.push(what)
    if (this.down) throw new ParleyError('store_unavailable')
  }
}

/** Lines and counts, for looking at. */
export class FakeTelemetry implements Telemetry {
  readonly lines: string[] = []
  readonly counts: string[] = []

  log(level: string, event: string): void {
    this.lines.push(`${level} ${event}`)
  }

  count(metric: string, _by?: number, label?: string): void {
    this.counts.push(`${metric} ${label ?? ''}`)
  }

  observe(): void {}
  gauge(): void {}
}

export const SETTINGS: AccessSettings = { ...ACCESS, connectionsPerAddress: 3 }

export const DEFINITION = { name: 'A', preamble: 'Be kind.', model: { default: 'scripted/demo' } }

/** An App as its runs see it. */
export function testApp(id: string, limits?: AppLimits): App {
  const model = { default: 'scripted/demo', allowed: ['scripted/demo'], maxOutputTokens: 1, contextTokens: 1 }
  return { id, name: id, preamble: '', model, tools: [], ...(limits === undefined ? {} : { limits }) }
}

export type Gate = {
  readonly access: RunningAccess
  readonly store: FakeStore
  readonly telemetry: FakeTelemetry
  /** Makes an App and a key for it; `over` changes the row. */
  readonly addKey: (kind: KeyKind, over?: Partial<KeyRow>) => Promise<MintedKey>
}

export type GateOptions = Partial<AccessSettings> & {
  readonly host?: string
  readonly origins?: readonly string[]
}

/** The real access control and Apps on a fake store. */
export function openGate({ host = '127.0.0.1', origins = [], ...settings }: GateOptions = {}): Gate {
  const [store, telemetry] = [new FakeStore(), new FakeTelemetry()]
  const apps = createApps({
    store,
    changes: store,
    defaults: { maxOutputTokens: 100, contextTokens: 1000 },
    builtin: testApp('default'),
  })
  for (const id of ['alpha', 'beta']) store.apps.set(id, { id, definition: { id, ...DEFINITION }, updatedAt: 0 })
  const access = createAccess({
    keys: store,
    accounts: store,
    usage: store,
    apps,
    changes: store,
    hosts: new Hosts({ host, origins }),
    telemetry,
    settings: { ...SETTINGS, ...settings },
  })
  const addKey = async (kind: KeyKind, over: Partial<KeyRow> = {}): Promise<MintedKey> => {
    const minted = await mintKey(kind)
    const row: KeyRow = {
      id: minted.id,
      account: 'acme',
      kind,
      hash: minted.hash,
      ...(minted.tag === undefined ? {} : { tag: minted.tag }),
      apps: ['alpha'],
      scopes: ['read', 'write'],
      origins: kind === 'publishable' ? ['https://shop.example'] : [],
      addresses: [],
      createdAt: 0,
      ...over,
    }
    store.keys.set(minted.id, row)
    return minted
  }
  return { access, store, telemetry, addKey }
}

type RequestParts = {
  readonly headers?: Readonly<Record<string, string>>
  readonly address?: string
  readonly secure?: boolean
  readonly key?: string
  readonly ticket?: string
  readonly session?: string
}

/** A request from another machine unless told otherwise. */
export function request(parts: RequestParts = {}): AccessRequest {
  const { headers = {}, address = '203.0.113.7', secure = false, key, ticket, session } = parts
  const all: Readonly<Record<string, string>> = { host: '127.0.0.1:8080', ...headers }
  return {
    header: (name) => all[name],
    address,
    secure,
    ...(key === undefined ? {} : { key }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(session === undefined ? {} : { session }),
  }
}

/** The same, with a key in a header. */
export function keyed(key: string, headers: Readonly<Record<string, string>> = {}): AccessRequest {
  return request({ headers: { 'x-api-key': key, ...headers } })
}

/** The code that `attempt` is refused with; fails when it is not. */
export async function refusal(attempt: Promise<unknown>): Promise<ParleyError> {
  try {
    await attempt
  } catch (thrown) {
    if (thrown instanceof ParleyError) return thrown
    throw thrown
  }
  throw new Error('was not refused')
}
