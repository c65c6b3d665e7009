import type { AccountStore } from '../../src/ports/accounts.ts'
import type { KeyRow, KeyStore, KeyUse, Successor } from '../../src/ports/keys.ts'
import type { AppRow, AppStore } from '../../src/ports/store.ts'
import type { TicketStore } from '../../src/ports/tickets.ts'
import type { SealedEntry, StoredVault, VaultStore } from '../../src/ports/vault.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import type { MemoryWorld } from './memory-world.ts'

/** Keys, their accounts, and Apps of a store in memory. */
export class MemoryKeys implements KeyStore, AccountStore, AppStore, TicketStore, VaultStore {
  readonly #data: MemoryWorld
  readonly #answer: () => Promise<void>

  /** `answer` rejects while the store is away. */
  constructor(data: MemoryWorld, answer: () => Promise<void>) {
    this.#data = data
    this.#answer = answer
  }

  async findKey(id: string): Promise<KeyRow | undefined> {
    await this.#answer()
    return this.#data.keys.get(id)
  }

  async createKey(row: KeyRow): Promise<void> {
    await this.#answer()
    if (!row.apps.every((app) => this.#data.apps.has(app))) throw new ParleyError('app_not_found')
    if (this.#data.keys.has(row.id)) throw new ParleyError('conflict')
    this.#data.keys.set(row.id, { ...row, apps: [...row.apps].sort() })
    if (!this.#data.accounts.has(row.account)) this.#data.accounts.set(row.account, { createdAt: Date.now() })
    this.#data.tell({ kind: 'key', id: row.id })
  }

  async listKeys(): Promise<readonly KeyRow[]> {
    await this.#answer()
    return [...this.#data.keys.values()].sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  }

  async revokeKey(id: string, at: number): Promise<boolean> {
    await this.#answer()
    const row = this.#data.keys.get(id)
    if (!row) return false
    this.#data.keys.set(id, { ...row, revokedAt: row.revokedAt ?? at })
    this.#data.tell({ kind: 'key', id })
    return true
  }

  async rotateKey(id: string, successor: Successor, until: number): Promise<boolean> {
    await this.#answer()
    const row = this.#data.keys.get(id)
    const expiresAt = Math.min(until, row?.expiresAt ?? until)
    if (
      !row ||
      row.revokedAt !== undefined ||
      row.successor !== undefined ||
      (row.expiresAt ?? Number.POSITIVE_INFINITY) <= successor.createdAt
    )
      return false
    const { expiresAt: _mine, lastUsedAt: _used, tag: _tag, ...kept } = row
    this.#data.keys.set(id, { ...row, expiresAt, successor: successor.id })
    this.#data.keys.set(successor.id, { ...kept, ...successor })
    for (const each of [id, successor.id]) this.#data.tell({ kind: 'key', id: each })
    return true
  }

  async touchKeys(uses: readonly KeyUse[], at: number): Promise<void> {
    await this.#answer()
    for (const { id, tag } of uses) {
      const row = this.#data.keys.get(id)
      if (!row) continue
      const told = row.tag ?? tag
      const lastUsedAt = Math.max(at, row.lastUsedAt ?? at)
      this.#data.keys.set(id, { ...row, lastUsedAt, ...(told === undefined ? {} : { tag: told }) })
    }
  }

  async planOf(account: string): Promise<string | undefined> {
    await this.#answer()
    return this.#data.accounts.get(account)?.plan
  }

  async setPlan(account: string, plan: string | undefined): Promise<boolean> {
    await this.#answer()
    const row = this.#data.accounts.get(account)
    if (!row) return false
    this.#data.accounts.set(account, { createdAt: row.createdAt, ...(plan === undefined ? {} : { plan }) })
    this.#data.tell({ kind: 'account', id: account })
    return true
  }

  async signingSecret(candidate: string): Promise<string> {
    await this.#answer()
    this.#data.secret ??= candidate
    return this.#data.secret
  }

  async sealingKey(candidate: string): Promise<string> {
    await this.#answer()
    this.#data.sealingKey ??= candidate
    return this.#data.sealingKey
  }

  async putEntries({ id, entries }: StoredVault, limit: number): Promise<boolean> {
    await this.#answer()
    const all = new Map(this.#data.vaults.get(id))
    for (const { name, sealed } of entries) all.set(name, sealed)
    if (all.size > limit) return false
    this.#data.vaults.set(id, all)
    return true
  }

  async listEntries(vault: string): Promise<readonly SealedEntry[]> {
    await this.#answer()
    const entries = [...(this.#data.vaults.get(vault) ?? [])].map(([name, sealed]) => ({ name, sealed }))
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async deleteEntries(vault: string, name?: string): Promise<boolean> {
    await this.#answer()
    const entries = this.#data.vaults.get(vault)
    if (name !== undefined) return entries?.delete(name) ?? false
    this.#data.vaults.delete(vault)
    return (entries?.size ?? 0) > 0
  }

  async holding(vaults: readonly string[]): Promise<readonly string[]> {
    await this.#answer()
    return vaults.filter((vault) => (this.#data.vaults.get(vault)?.size ?? 0) > 0)
  }

  async useTicket(id: string): Promise<boolean> {
    await this.#answer()
    const isNew = !this.#data.tickets.has(id)
    this.#data.tickets.add(id)
    return isNew
  }

  async getApp(id: string): Promise<AppRow | undefined> {
    await this.#answer()
    return this.#data.apps.get(id)
  }

  async listApps(): Promise<readonly AppRow[]> {
    await this.#answer()
    return [...this.#data.apps.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  async putApp(row: AppRow): Promise<void> {
    await this.#answer()
    const account = row.account ?? this.#data.apps.get(row.id)?.account ?? 'default'
    this.#data.apps.set(row.id, structuredClone({ ...row, account }))
    this.#data.tell({ kind: 'app', id: row.id })
  }

  async deleteApp(id: string): Promise<boolean> {
    await this.#answer()
    if (!this.#data.apps.delete(id)) return false
    for (const key of this.#data.keys.values()) {
      if (!key.apps.includes(id)) continue
      const apps = key.apps.filter((app) => app !== id)
      const isOver = apps.length === 0 && !key.scopes.includes('admin') && key.revokedAt === undefined
      this.#data.keys.set(key.id, { ...key, apps, ...(isOver && { revokedAt: Date.now() }) })
      this.#data.tell({ kind: 'key', id: key.id })
    }
    this.#data.tell({ kind: 'app', id })
    return true
  }
}
