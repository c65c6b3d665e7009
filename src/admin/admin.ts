import type { Actor, Admin } from '../ports/admin.ts'
import type { AccountRow } from '../ports/admin-store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AppAdmin } from './apps.ts'
import { Audit } from './audit.ts'
import { KeyAdmin } from './keys.ts'
import type { AdminParts } from './parts.ts'
import { planWords, STANDARD_PLAN } from './plan-words.ts'
import { assertOperator } from './reach.ts'

/** What administers Apps and keys, for the command line and for HTTP. */
export function createAdmin(parts: AdminParts): Admin {
  const { reads } = parts
  const audit = new Audit(reads, parts.auditKeepMs)
  const apps = new AppAdmin(parts, audit)
  const keys = new KeyAdmin(parts, audit)
  return {
    acts: (actor, query) => reads.listActs({ ...query, ...ownAccount(actor), since: audit.since }),
    async accounts(actor, page) {
      assertOperator(actor)
      return reads.listAccounts(page)
    },
    account: (actor, id) => account(reads, actor, id),
    setPlan: (actor, id, plan) => audit.noted(actor, 'account.plan', id, () => setPlan(parts, actor, id, plan)),
    apps: (actor, page) => apps.list(actor, page),
    app: (actor, id) => apps.show(actor, id),
    putApp: (actor, definition, owner) => apps.put(actor, definition, owner),
    deleteApp: (actor, id) => apps.remove(actor, id),
    keys: (actor, page) => keys.list(actor, page),
    createKey: (actor, wish) => keys.create(actor, wish),
    rotateKey: (actor, id, rotation) => keys.rotate(actor, id, rotation),
    revokeKey: (actor, id) => keys.revoke(actor, id),
  }
}

function ownAccount(actor: Actor): { readonly account?: string } {
  return actor.kind === 'admin' ? { account: actor.account } : {}
}

async function account(reads: AdminParts['reads'], actor: Actor, id: string): Promise<AccountRow> {
  const isTheirs = actor.kind !== 'admin' || actor.account === id
  const found = isTheirs ? await reads.findAccount(id) : undefined
  if (found === undefined) throw noSuchAccount(id)
  return found
}

async function setPlan({ store, plans }: AdminParts, actor: Actor, id: string, plan: string): Promise<void> {
  assertOperator(actor)
  const words = planWords(plans)
  if (!words.includes(plan)) throw new ParleyError('invalid_value', { message: `plan: one of ${words.join(', ')}` })
  if (!(await store.setPlan(id, plan === STANDARD_PLAN ? undefined : plan))) throw noSuchAccount(id)
}

function noSuchAccount(id: string): ParleyError {
  const message = `There is no account ${id}: the first key or App of one makes it`
  return new ParleyError('not_found', { message })
}
