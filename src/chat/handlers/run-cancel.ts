import type { RunCancel } from '../../protocol/commands.ts'
import type { Outcome } from '../connection/caller.ts'
import { startNext } from '../run/run-lifecycle.ts'
import { stopRun } from '../run/stop-run.ts'
import { isQueued, type QueuedSend } from '../session/activity.ts'
import { isOutrun } from '../session/refusals.ts'
import { renew } from '../session/renew.ts'
import type { Session } from '../session/session.ts'

/** What a cancel came to: ids of the run that was told to stop, and of the first send that left the queue. */
type Cancelled = { readonly stopped?: string | undefined; readonly removed?: string | undefined }

/**
 * Stops a run, acknowledged at once: nothing is said after the ack but the closing of what was open and the terminal event.
 * A late one, and one for a run that is not this session's, is a no-op whose ack says so (I4).
 */
export async function runCancel(session: Session, command: RunCancel): Promise<Outcome> {
  // A send that came before this and is still being stored must not start after it.
  if (session.active === undefined && session.busy) await session.exclusive(async () => undefined)
  const { stopped, removed } = (await cancel(session, command)) ?? (await cancelWhatIsNew(session, command)) ?? {}
  const runId = stopped ?? removed ?? command.runId
  return {
    ack: {
      ...(runId === undefined ? {} : { runId }),
      state: stopped === undefined && removed === undefined ? 'noop' : 'cancelling',
    },
    ...(removed === undefined ? {} : { after: () => void startNext(session) }),
  }
}

/** Undefined: there is nothing to cancel, as far as is known here. */
async function cancel(session: Session, command: RunCancel): Promise<Cancelled | undefined> {
  const stopped = await stopRun(session, command.runId)
  const isQueued = command.all || (stopped === undefined && command.runId !== undefined)
  const { stopped: next, removed } = isQueued ? await dequeue(session, command) : {}
  return stopped === undefined && next === undefined && removed === undefined
    ? undefined
    : { stopped: stopped ?? next, removed }
}

/** What another process did a moment ago may not have been heard of: a no-op is said of what the store has. */
async function cancelWhatIsNew(session: Session, command: RunCancel): Promise<Cancelled | undefined> {
  if (session.core.store.others === 0) return undefined
  await session.exclusive(() => renew(session))
  return session.retired ? undefined : cancel(session, command)
}

/** Takes the named send, or all, out of the queue; what another process has started of them is stopped there. */
function dequeue(session: Session, command: RunCancel): Promise<Cancelled> {
  const leaves = ({ run }: QueuedSend): boolean => command.all || run.id === command.runId
  return session.exclusive(async () => {
    let stopped: string | undefined
    if (command.all && session.core.store.others > 0) stopped = await stopWhatIsNew(session)
    for (;;) {
      const leaving = session.queue.filter(leaves)
      if (leaving.length === 0) return { stopped }
      try {
        await save(session, leaving)
      } catch (thrown) {
        if (!isOutrun(thrown)) throw thrown
        await renew(session)
        if (leaving.some(({ run }) => run.id === session.runId)) stopped = await stopRun(session)
        else if (leaving.every(({ run }) => isQueued(session, run.id))) throw thrown
        continue
      }
      session.queue = session.queue.filter((item) => !leaves(item))
      session.hidesSends = true
      session.announceQueue()
      return { stopped, removed: leaving[0]?.run.id }
    }
  })
}

/** What another process queued a moment ago is among all, and so is what it has started of the queue. */
async function stopWhatIsNew(session: Session): Promise<string | undefined> {
  const { runId } = session
  await renew(session)
  return session.runId === runId ? undefined : stopRun(session)
}

/** Writes down that they left. As a start does: of a process that removes one and one that starts it, the second is refused. */
function save(session: Session, leaving: readonly QueuedSend[]): Promise<void> {
  const { settings, store, now } = session.core
  const left = { status: 'removed' as const, endedAt: now(), node: store.node }
  const runs = leaving.map(({ run }) => ({ ...run, ...left, fence: run.fence + 1 }))
  return session.save({ runs }, settings.storeGiveUpMs)
}
