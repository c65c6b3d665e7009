import { MAX_PAGE_MESSAGES } from '../../protocol/limits.ts'
import { History } from '../session/history.ts'
import type { Session } from '../session/session.ts'

/** `history` is to be read only. */
type Show = (history: History) => void

const NOTHING_SAID = new History({ messages: [], hasMore: false })

/**
 * Shows the conversation to one who has come: at once (undefined) where the session is new, else when it was read. `show` must not
 * wait, so that what it sees belongs to the log's head.
 */
export function look(session: Session, show: Show): Promise<void> | undefined {
  if (session.stored || !mayPeek(session)) return read(session, show)
  show(NOTHING_SAID)
  return undefined
}

/** Who comes first mostly reads and says nothing: of a session at rest that is not in memory a page is read, and not kept. */
async function read(session: Session, show: Show): Promise<void> {
  const { row } = session
  if (!mayPeek(session)) return show(await session.history())
  const page = await readPage(session)
  // Every change of what is stored makes a new row, and one that is under way holds the session.
  const isCurrent = session.row === row && isAtRest(session)
  show(isCurrent ? page : await session.history())
}

function mayPeek(session: Session): boolean {
  return session.watchers.length <= 1 && isAtRest(session) && session.core.histories.get(session.id) === undefined
}

function isAtRest({ activity, busy }: Session): boolean {
  return activity.kind === 'none' && !busy
}

/** What a snapshot may hold of it: as in the window that is kept, but for the number of messages. */
async function readPage({ core, id }: Session): Promise<History> {
  const { windowBytes, windowMessages } = core.settings
  const maxMessages = Math.min(windowMessages, MAX_PAGE_MESSAGES)
  return new History(await core.store.history(id, { maxMessages, maxBytes: windowBytes }))
}
