import { DEFAULT_ACCOUNT } from '../ports/accounts.ts'
import type { Actor, StoredApp } from '../ports/admin.ts'
import type { PageQuery } from '../ports/admin-store.ts'
import type { AppRow } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { DEFAULT_APP } from '../protocol/ids.ts'
import type { Audit } from './audit.ts'
import type { AdminParts } from './parts.ts'
import { assertOperator, forbidden, reachesApp, reachOf } from './reach.ts'
import { limitAbove } from './tenant-limits.ts'
import { newSecretUses } from './tenant-secrets.ts'

/** Apps of one account, when its own key makes them: the operator's word is not bounded. */
const MAX_APPS = 100
/** Apps as they are administered. An account's admin makes Apps, and changes those that are its account's and open to its key. */
export class AppAdmin {
  readonly #parts: AdminParts
  readonly #audit: Audit

  constructor(parts: AdminParts, audit: Audit) {
    this.#parts = parts
    this.#audit = audit
  }

  list(actor: Actor, page: PageQuery): Promise<readonly StoredApp[]> {
    return this.#parts.reads.pageApps({ ...reachOf(actor), ...page })
  }

  async show(actor: Actor, id: string): Promise<StoredApp> {
    const row = await this.#parts.store.getApp(id)
    const app = row === undefined ? undefined : toStored(row)
    if (app === undefined || !reachesApp(actor, app)) throw noSuchApp(id)
    return app
  }

  async put(actor: Actor, input: unknown, account: string | undefined): Promise<StoredApp> {
    const definition = this.#parts.parseDefinition(input)
    const { id } = definition
    return this.#audit.noted(actor, 'app.put', id, async () => {
      const row = { id, definition, updatedAt: Date.now() }
      if (actor.kind === 'admin') return this.#putOwn(actor, row, account)
      const { store } = this.#parts
      await store.putApp({ ...row, account })
      return { ...row, account: account ?? (await store.getApp(id))?.account ?? DEFAULT_ACCOUNT }
    })
  }

  async remove(actor: Actor, id: string): Promise<void> {
    await this.#audit.noted(actor, 'app.delete', id, async () => {
      await this.show(actor, id)
      if (!(await this.#parts.store.deleteApp(id))) throw noSuchApp(id)
    })
  }

  async #putOwn(
    actor: Extract<Actor, { kind: 'admin' }>,
    row: Omit<AppRow, 'account'>,
    account: string | undefined,
  ): Promise<StoredApp> {
    if (account !== undefined && account !== actor.account) assertOperator(actor)
    const { store, reads } = this.#parts
    const before = await store.getApp(row.id)
    // It answers without a key, so it is the server's.
    if (row.id === DEFAULT_APP && before === undefined) throw forbidden("id: the App default is the operator's")
    // Before its definition is looked at: what another's says is not told.
    if (before !== undefined && !reachesApp(actor, toStored(before))) throw notOfThisKey()
    const [use] = newSecretUses(row.definition, before?.definition)
    if (use !== undefined) throw forbidden(`httpTools: only the operator lets an App send the secret ${use}`)
    const above = limitAbove(row.definition, before?.definition, this.#parts.limits)
    if (above !== undefined)
      throw forbidden(`limits.${above.name}: at most ${above.most}; only the operator gives an App more`)
    const own = { ...row, account: actor.account }
    const outcome = await reads.putOwnApp({ row: own, keyId: actor.keyId, maxApps: MAX_APPS })
    if (outcome === 'taken') throw notOfThisKey()
    if (outcome === 'full')
      throw new ParleyError('invalid_value', { message: `An account has at most ${MAX_APPS} Apps` })
    return own
  }
}

function toStored(row: AppRow): StoredApp {
  return { account: DEFAULT_ACCOUNT, ...row }
}

function notOfThisKey(): ParleyError {
  return forbidden('id: this is not an App of this key')
}

function noSuchApp(id: string): ParleyError {
  return new ParleyError('app_not_found', { message: `There is no stored App ${id}` })
}
