import type { Actor } from '../ports/admin.ts'
import type { Reach } from '../ports/admin-store.ts'
import type { KeyRow, Scope } from '../ports/keys.ts'
import type { Owner } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'

/** What of the store the actor sees: an account's admin what is of its account and of the Apps of its own key. */
export function reachOf(actor: Actor): Reach {
  return actor.kind === 'admin' ? { account: actor.account, apps: actor.apps } : {}
}

export function reachesApp(actor: Actor, app: { readonly id: string; readonly account: string }): boolean {
  return actor.kind !== 'admin' || (app.account === actor.account && actor.apps.includes(app.id))
}

export function reachesSession(actor: Actor, { app, account }: Owner): boolean {
  return actor.kind !== 'admin' || (account === actor.account && actor.apps.includes(app))
}

/** Keys that open an App which the actor's does not are none of its business, nor are the operator's. */
export function reachesKey(actor: Actor, { account, apps, scopes }: KeyRow): boolean {
  if (actor.kind !== 'admin') return true
  return account === actor.account && !scopes.includes('operator') && apps.every((app) => actor.apps.includes(app))
}

/** Nobody makes a key that may do more than their own; the operator's are made on the host. Throws `forbidden`. */
export function assertMayGive(actor: Actor, scopes: readonly Scope[], apps: readonly string[]): void {
  if (actor.kind === 'cli') return
  if (scopes.includes('operator')) throw forbidden('Keys of the operator are made on the host: parley keys create')
  if (actor.kind === 'operator') return
  const scope = scopes.find((each) => !actor.scopes.includes(each))
  if (scope !== undefined) throw forbidden(`scopes: this key has no ${scope} itself`)
  if (!apps.every((app) => actor.apps.includes(app))) throw forbidden('apps: this key does not open all of them itself')
}

/** Throws `forbidden` for an account's admin. */
export function assertOperator(actor: Actor): void {
  if (actor.kind === 'admin') throw forbidden("This needs an operator's key")
}

export function forbidden(message: string): ParleyError {
  return new ParleyError('forbidden', { message })
}

/** What is asked for within what the actor reaches; undefined: nothing of it. */
export function narrowed(
  actor: Actor,
  { app, account }: { readonly app?: string; readonly account?: string },
): Reach | undefined {
  const { account: own = account, apps } = reachOf(actor)
  if (account !== undefined && account !== own) return undefined
  if (app !== undefined && apps?.includes(app) === false) return undefined
  const named = app === undefined ? apps : [app]
  return { ...(own === undefined ? {} : { account: own }), ...(named === undefined ? {} : { apps: named }) }
}
