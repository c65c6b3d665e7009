import type { Actor, SessionAdmin } from '../ports/admin.ts'
import type { AdminStore } from '../ports/admin-store.ts'
import type { SessionExports } from '../ports/privacy.ts'
import { ownerOf, type SessionDirectory } from '../ports/sessions.ts'
import type { SessionRow, SessionStore } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Audit } from './audit.ts'
import { narrowed, reachesSession } from './reach.ts'
import { countUsage } from './usage.ts'

/** Bytes of messages' texts in a page: as much as a tab is given of a conversation. */
const PAGE_BYTES = 1_048_576

export type SessionAdminParts = {
  readonly store: Pick<SessionStore, 'load' | 'history'>
  readonly reads: Pick<AdminStore, 'pageSessions' | 'usage'>
  readonly exports: SessionExports
  readonly directory: SessionDirectory
  readonly audit: Audit
}

/** Conversations as they are administered. What people wrote is opened under the eyes of the audit trail. */
export function createSessionAdmin({ store, reads, exports, directory, audit }: SessionAdminParts): SessionAdmin {
  const find = async (actor: Actor, id: string): Promise<SessionRow> => {
    const session = (await store.load(id))?.session
    if (session === undefined || !reachesSession(actor, session)) throw new ParleyError('session_not_found')
    return session
  }
  return {
    async sessions(actor, wish) {
      const { user, before, limit } = wish
      const reach = narrowed(actor, wish)
      return reach === undefined ? [] : reads.pageSessions({ ...reach, user, before, limit })
    },
    session: (actor, id, { before, limit }) =>
      audit.noted(actor, 'session.read', id, async () => {
        const session = await find(actor, id)
        return { session, ...(await store.history(id, { before, maxMessages: limit, maxBytes: PAGE_BYTES })) }
      }),
    deleteSession: (actor, id) =>
      audit.noted(actor, 'session.delete', id, async () => {
        const session = await find(actor, id)
        await directory.delete(ownerOf(session, session.app), id)
      }),
    exportSession: (actor, id) =>
      audit.noted(actor, 'session.export', id, async () => {
        await find(actor, id)
        return exports.exportSessions({ session: id })
      }),
    usage: (actor, wish) => countUsage(reads, actor, wish),
  }
}
