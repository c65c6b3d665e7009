import type { AdminParts } from '../../src/admin/parts.ts'
import type { ActRow } from '../../src/ports/audit.ts'
import type { FakeStore } from '../access/fakes.ts'

const ACTS = new WeakMap<FakeStore, ActRow[]>()

/** The acts that commands noted on this store, oldest first. */
export function actsOf(store: FakeStore): ActRow[] {
  const acts = ACTS.get(store) ?? []
  ACTS.set(store, acts)
  return acts
}

/** A command asks for nothing else: what accounts may is tried on Postgres. */
async function notHere(): Promise<never> {
  throw new Error('no command asks for this')
}

/** What administration needs beside the fake store: an audit trail. */
export function readsOf(store: FakeStore): AdminParts['reads'] {
  const acts = actsOf(store)
  return {
    async beginAct(act) {
      const id = String(acts.length + 1)
      acts.push({ ...act, id, outcome: 'begun' })
      return id
    },
    async endAct(id, outcome) {
      const at = Number(id) - 1
      const act = acts[at]
      if (act !== undefined) acts[at] = { ...act, outcome }
    },
    listActs: async ({ limit }) => acts.toReversed().slice(0, limit),
    async listAccounts() {
      return [...store.plans].map(([id, plan]) => {
        return { id, apps: 0, keys: 1, createdAt: 0, ...(plan === undefined ? {} : { plan }) }
      })
    },
    findAccount: notHere,
    pageApps: notHere,
    putOwnApp: notHere,
    pageKeys: notHere,
    countKeys: notHere,
  }
}
