import type { RunCancel } from '../../protocol/commands.ts'
import type { QueuedSend } from '../activity.ts'
import type { Outcome } from '../caller.ts'
import { renew } from '../renew.ts'
import { startNext } from '../run-lifecycle.ts'
import type { Session } from '../session.ts'
import { isOutrun } from '../session-row.ts'
import { stopRun } from '../stop-run.ts'

/**
 * Stops a run, acknowledged at once: nothing is said after the ack but the closing of what was open and the terminal event.
 * A late one, and one for a run that is not this session's, is a no-op whose ack says so (I4).
 */
export async function runCancel(session: Session, command: RunCancel): Promise<Outcome> {
  // A send that came before this and is still being stored must not start after it.
  if (session.active === undefined && session.busy) await session.exclusive(async () => undefined)
  const stopped = await stopRun(session, command.runId)
  const removed =
    command.all || (stopped === undefined && command.runId !== undefined) ? await dequeue(session, command) : undefined
  const runId = stopped ?? removed ?? command.runId
  return {
    ack: {
      ...(runId === undefined ? {} : { runId }),
      state: stopped === undefined && removed === undefined ? 'noop' : 'cancelling',
    },
    ...(removed === undefined ? {} : { after: () => void startNext(session) }),
  }
}

/** Takes the named send, or all, out of the queue; gives the id of the first that left. */
async function dequeue(session: Session, command: RunCancel): Promise<string | undefined> {
  return session.exclusive(async () => {
    const leaves = ({ run }: QueuedSend): boolean => command.all || run.id === command.runId
    const leaving = session.queue.filter(leaves)
    if (leaving.length === 0) return undefined
    const now = session.core.now()
    const { node } = session.core.store
    // As a start does: of a process that removes it and one that starts it, the second is refused.
    const runs = leaving.map(({ run }) => ({
      ...run,
      status: 'removed' as const,
      endedAt: now,
      node,
      fence: run.fence + 1,
    }))
    try {
      await session.save({ runs }, session.core.settings.storeGiveUpMs)
    } catch (thrown) {
      if (!isOutrun(thrown)) throw thrown
      // Another process started it, or took it out: there is nothing left to do.
      await renew(session)
      return undefined
    }
    session.queue = session.queue.filter((item) => !leaves(item))
    session.hidesSends = true
    session.announceQueue()
    return leaving[0]?.run.id
  })
}
