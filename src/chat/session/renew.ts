import type { SessionRow } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { SessionUpdated } from '../../protocol/frames.ts'
import { endDeleted } from './gone.ts'
import { reload } from './recover.ts'
import { NOTHING_UNTOLD, type Session } from './session.ts'

/** What watchers were shown last: runs and answers to open calls move the conversation, sends that wait only the status. */
type Picture = { readonly row: SessionRow; readonly conversation: string; readonly waiting: string }

/** Of sessions whose renewal failed half way, as with the store: what it took is told by the next. */
const owed = new WeakMap<Session, Picture>()

/**
 * Takes what another process did to the session and tells its watchers what changed by it: a snapshot, the status, the
 * record. Within `session.exclusive`. A session that was removed, or that is another owner's, is retired.
 */
export async function renew(session: Session): Promise<void> {
  const before = owed.get(session) ?? pictureOf(session)
  owed.set(session, before)
  const { stored } = session
  try {
    const isGone = (await isOurs(session)) ? false : stored
    if (isGone) endDeleted(session)
    if (!session.retired) await showChanges(session, before)
  } catch (thrown) {
    session.doubtful = true
    throw thrown
  }
  owed.delete(session)
}

async function showChanges(session: Session, before: Picture): Promise<void> {
  const after = pictureOf(session)
  const updated = updates(before.row, after.row)
  if (updated !== undefined) session.announce(updated)
  if (after.conversation !== before.conversation) return showAnew(session)
  if (after.waiting !== before.waiting) session.announceQueue()
}

/**
 * After a write that was refused but may have been stored: takes the queue and an unbegun run from the store (I2). What another
 * process did meanwhile is told as by any renewal: else a run that starts next would start within one that has ended elsewhere (I1).
 */
export async function reconcile(session: Session): Promise<void> {
  if (!session.doubtful) return
  session.doubtful = false
  await renew(session)
  if (session.retired) throw new ParleyError('session_not_found')
}

/** Makes changes of the record durable. All of its row is written: not over a status that only the store knows. */
export function changeRecord(session: Session, changes: Partial<SessionRow>): Promise<void> {
  return session.exclusive(async () => {
    await reconcile(session)
    await session.change(changes, {}, session.core.settings.storeGiveUpMs)
  })
}

/** False: the store does not have it any more. One of another owner is ended. */
async function isOurs(session: Session): Promise<boolean> {
  try {
    return await reload(session)
  } catch (thrown) {
    if (!(thrown instanceof ParleyError) || thrown.code !== 'session_not_found') throw thrown
    endDeleted(session)
    return true
  }
}

/** The log has nothing of what happened elsewhere: who is at its head gets a snapshot (P-62), who comes later, too. */
async function showAnew(session: Session): Promise<void> {
  session.log.skip()
  session.untold = NOTHING_UNTOLD
  for (const watcher of session.watchers) watcher.replaced?.()
  if (session.audience.size === 0) return
  const history = await session.history()
  session.announce({ type: 'session.snapshot', ...history.page() })
  session.announceStatus()
}

function pictureOf(session: Session): Picture {
  const { row, lastPosition, runId, lastRun, queue, status, waiting } = session
  const open = waiting?.pending?.map(({ toolCallId }) => toolCallId) ?? []
  return {
    row,
    conversation: [lastPosition, runId, lastRun?.runId, lastRun?.outcome, ...open].join(' '),
    waiting: [status, ...queue.map(({ run }) => run.id), JSON.stringify(waiting?.pending)].join(' '),
  }
}

function updates(before: Session['row'], { title, wallet, model }: Session['row']): SessionUpdated | undefined {
  const changed = {
    ...(title === undefined || title === before.title ? {} : { title }),
    ...(wallet?.address === before.wallet?.address && wallet?.chain === before.wallet?.chain
      ? {}
      : { wallet: wallet ?? null }),
    ...(model === undefined || model === before.model ? {} : { model }),
  }
  return Object.keys(changed).length === 0 ? undefined : { type: 'session.updated', ...changed }
}
