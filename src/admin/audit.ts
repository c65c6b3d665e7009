import type { Actor } from '../ports/admin.ts'
import type { Act, AuditStore } from '../ports/audit.ts'
import { toParleyError } from '../protocol/errors.ts'

/** Notes acts: before they are done, so that none is done unseen, and again with what came of it. */
export class Audit {
  readonly #store: AuditStore
  readonly #keepMs: number

  /** `keepMs`: for how long acts are kept. */
  constructor(store: AuditStore, keepMs: number) {
    this.#store = store
    this.#keepMs = keepMs
  }

  /** Milliseconds since 1970: what is older is forgotten. */
  get since(): number {
    return Date.now() - this.#keepMs
  }

  /** Does not do the act when it cannot be noted. */
  async noted<T>(actor: Actor, act: Act, target: string, work: () => Promise<T>): Promise<T> {
    const now = { act, target: target.slice(0, MAX_TARGET), at: Date.now() }
    const id = await this.#store.beginAct({ ...whoIs(actor), ...now }, this.since)
    try {
      const result = await work()
      await this.#end(id, 'ok')
      return result
    } catch (thrown) {
      await this.#end(id, toParleyError(thrown).code)
      throw thrown
    }
  }

  /** What was done is done: an outcome that cannot be noted leaves `begun`. */
  async #end(id: string, outcome: string): Promise<void> {
    await this.#store.endAct(id, outcome).catch(() => undefined)
  }
}

/** Characters: ids are shorter, and what is no id is whatever somebody sent. */
const MAX_TARGET = 200

function whoIs(actor: Actor): { actor: string; account?: string; address?: string } {
  if (actor.kind === 'cli') return { actor: 'cli' }
  const { keyId, address } = actor
  return { actor: keyId, address, ...(actor.kind === 'admin' ? { account: actor.account } : {}) }
}
