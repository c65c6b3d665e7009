import type { Actor, KeyFacts, KeyWish, Rotation, ShownKey } from '../ports/admin.ts'
import type { PageQuery } from '../ports/admin-store.ts'
import type { KeyRow } from '../ports/keys.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Audit } from './audit.ts'
import { type CheckedWish, checkLifetime, checkOverlap, checkWish } from './key-wish.ts'
import type { AdminParts } from './parts.ts'
import { assertMayGive, assertOperator, reachesKey, reachOf } from './reach.ts'

/** Live keys of one account, when its own key makes them: several for each of its Apps. */
const MAX_KEYS = 1000

/** As keys are minted; longer words of such letters may be secrets. */
const ID_PATTERN = /^[0-9A-Za-z-]{1,12}$/
const NO_ID = '(no id of a key)'

type Proof = Pick<KeyRow, 'id' | 'hash' | 'tag'>

/** Keys as they are administered: shown once, and never with more than the actor has itself. */
export class KeyAdmin {
  readonly #parts: AdminParts
  readonly #audit: Audit

  constructor(parts: AdminParts, audit: Audit) {
    this.#parts = parts
    this.#audit = audit
  }

  async list(actor: Actor, page: PageQuery): Promise<readonly KeyFacts[]> {
    const rows = await this.#parts.reads.pageKeys({ ...reachOf(actor), ...page })
    return rows.map(withoutSecret)
  }

  async create(actor: Actor, asked: KeyWish): Promise<ShownKey> {
    const account = actor.kind === 'admin' ? { account: asked.account ?? actor.account } : {}
    const wish = checkWish({ ...asked, ...account }, this.#parts.plainNetwork)
    // Its id is what the act is noted by.
    const minted = await this.#parts.mintKey(wish.kind)
    return this.#audit.noted(actor, 'key.create', minted.id, async () => {
      await this.#assertMayCreate(actor, wish)
      const now = Date.now()
      const { lifetime, ...facts } = wish
      const expiry = lifetime === undefined ? {} : { expiresAt: now + lifetime }
      const row = { ...facts, ...proofOf(minted), createdAt: now, ...expiry }
      await this.#parts.store.createKey(row).catch((thrown: unknown) => this.#nameMissingApps(wish.apps, thrown))
      return { key: minted.key, facts: withoutSecret(row) }
    })
  }

  async rotate(
    actor: Actor,
    id: string,
    { overlap, lifetime: wanted }: Rotation,
  ): Promise<ShownKey & { readonly oldUntil: number }> {
    return this.#audit.noted(actor, 'key.rotate', targetOf(id), async () => {
      const old = await this.#find(actor, id)
      if (old.successor !== undefined) throw replaced(id, old.successor)
      checkOverlap(overlap)
      checkLifetime(wanted)
      assertMayGive(actor, old.scopes, old.apps)
      const minted = await this.#parts.mintKey(old.kind)
      const now = Date.now()
      const lifetime = wanted ?? (old.expiresAt === undefined ? undefined : old.expiresAt - old.createdAt)
      const expiry = lifetime === undefined ? {} : { expiresAt: now + lifetime }
      const successor = { ...proofOf(minted), createdAt: now, ...expiry }
      if (!(await this.#parts.store.rotateKey(id, successor, now + overlap)))
        throw new ParleyError('conflict', { message: `Key ${id} is revoked or has expired; make a new one` })
      const { expiresAt: _own, lastUsedAt: _used, tag: _tag, ...kept } = old
      const oldUntil = Math.min(now + overlap, old.expiresAt ?? Number.POSITIVE_INFINITY)
      return { key: minted.key, facts: withoutSecret({ ...kept, ...successor }), oldUntil }
    })
  }

  async revoke(actor: Actor, id: string): Promise<void> {
    await this.#audit.noted(actor, 'key.revoke', targetOf(id), async () => {
      await this.#find(actor, id)
      if (!(await this.#parts.store.revokeKey(id, Date.now()))) throw noSuchKey(id)
    })
  }

  async #find(actor: Actor, id: string): Promise<KeyRow> {
    const row = await this.#parts.store.findKey(id)
    if (row === undefined || !reachesKey(actor, row)) throw noSuchKey(id)
    return row
  }

  async #nameMissingApps(apps: readonly string[], thrown: unknown): Promise<never> {
    if (!(thrown instanceof ParleyError) || thrown.code !== 'app_not_found') throw thrown
    const missing: string[] = []
    for (const id of apps) if ((await this.#parts.store.getApp(id)) === undefined) missing.push(id)
    const which = missing.length > 1 ? `Apps ${missing.join(', ')} are` : `App ${missing.join()} is`
    // None is missing: it was stored in between.
    throw new ParleyError(
      'app_not_found',
      missing.length === 0 ? { cause: thrown } : { message: `${which} not stored`, cause: thrown },
    )
  }

  async #assertMayCreate(actor: Actor, wish: CheckedWish): Promise<void> {
    assertMayGive(actor, wish.scopes, wish.apps)
    if (actor.kind !== 'admin') return
    if (wish.account !== actor.account) assertOperator(actor)
    if ((await this.#parts.reads.countKeys(actor.account, Date.now())) >= MAX_KEYS)
      throw new ParleyError('invalid_value', { message: `An account has at most ${MAX_KEYS} live keys` })
  }
}

/** What was sent for an id may be a key, or the half of one that holds its secret: the trail names only what can be an id. */
function targetOf(id: string): string {
  return ID_PATTERN.test(id) ? id : NO_ID
}

/** What is stored of a new key in the place of its secret. */
function proofOf({ id, hash, tag }: Proof): Proof {
  return { id, hash, ...(tag === undefined ? {} : { tag }) }
}

function withoutSecret({ hash: _hash, tag: _tag, ...facts }: KeyRow): KeyFacts {
  return facts
}

/** It has the end of an overlap for an expiry; what is left of its life is its successor's. */
function replaced(id: string, successor: string): ParleyError {
  return new ParleyError('conflict', { message: `Key ${successor} took the place of ${id}; rotate that one` })
}

function noSuchKey(id: string): ParleyError {
  return new ParleyError('not_found', { message: `There is no key ${id}` })
}
