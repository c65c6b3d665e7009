import type { Actor, SessionAdmin } from '../ports/admin.ts'
import type { AdminStore, MessagePlace } from '../ports/admin-store.ts'
import type { SessionDirectory } from '../ports/sessions.ts'
import type { MessageRow, SessionRow, SessionStore } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Audit } from './audit.ts'
import { narrowed, reachesSession } from './reach.ts'
import { countUsage } from './usage.ts'

/** Bytes of messages' texts in a page: as much as a tab is given of a conversation. */
const PAGE_BYTES = 1_048_576
/** Of one part of an export, which is all of it that is in memory. */
const [PART_MESSAGES, PART_BYTES] = [100, 262_144]
export type SessionAdminParts = {
  readonly store: Pick<SessionStore, 'load' | 'history'>
  readonly reads: Pick<AdminStore, 'pageSessions' | 'pageMessages' | 'usage'>
  readonly directory: SessionDirectory
  readonly audit: Audit
}

/** Conversations as they are administered. What people wrote is opened under the eyes of the audit trail. */
export function createSessionAdmin({ store, reads, directory, audit }: SessionAdminParts): SessionAdmin {
  const find = async (actor: Actor, id: string): Promise<SessionRow> => {
    const session = (await store.load(id))?.session
    if (session === undefined || !reachesSession(actor, session)) throw new ParleyError('session_not_found')
    return session
  }
  return {
    async sessions(actor, wish) {
      const { user, before, limit } = wish
      const reach = narrowed(actor, wish)
      const page = { limit, ...(user === undefined ? {} : { user }), ...(before === undefined ? {} : { before }) }
      return reach === undefined ? [] : reads.pageSessions({ ...reach, ...page })
    },
    session: (actor, id, { before, limit }) =>
      audit.noted(actor, 'session.read', id, async () => {
        const session = await find(actor, id)
        const query = { maxMessages: limit, maxBytes: PAGE_BYTES, ...(before === undefined ? {} : { before }) }
        return { session, ...(await store.history(id, query)) }
      }),
    deleteSession: (actor, id) =>
      audit.noted(actor, 'session.delete', id, async () => {
        const { app, account, user } = await find(actor, id)
        const owner = { app, ...(account === undefined ? {} : { account }), ...(user === undefined ? {} : { user }) }
        await directory.delete(owner, id)
      }),
    exportSession: (actor, id) =>
      audit.noted(actor, 'session.export', id, async () => exportLines(reads, await find(actor, id))),
    usage: (actor, wish) => countUsage(reads, actor, wish),
  }
}

async function* exportLines(
  reads: Pick<AdminStore, 'pageMessages'>,
  session: SessionRow,
): AsyncGenerator<string, void, void> {
  yield line({ type: 'session', ...session, ...timesOf(session, 'createdAt', 'updatedAt') })
  let after: MessagePlace | undefined
  for (;;) {
    const part = await reads.pageMessages(session.id, after, PART_MESSAGES, PART_BYTES)
    if (part.length === 0) return
    yield part.map(({ message }) => messageLine(message)).join('')
    after = part.at(-1)?.place
  }
}

/** What a provider wants to see again is of no use to others. */
function messageLine({ blocks: _blocks, sessionId: _session, ...message }: MessageRow): string {
  return line({ type: 'message', ...message, ...timesOf(message, 'createdAt') })
}

function line(record: object): string {
  return `${JSON.stringify(record)}\n`
}

function timesOf<K extends string>(record: Readonly<Record<K, number>>, ...names: readonly K[]) {
  return Object.fromEntries(names.map((name) => [name, new Date(record[name]).toISOString()]))
}
