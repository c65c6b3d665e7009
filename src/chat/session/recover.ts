import type { LoadedSession, MessageRow, OpenRun, RunRow } from '../../ports/store.ts'
import { sessionTag } from '../../ports/telemetry.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { type Answered, closeAll } from '../calls/open-calls.ts'
import type { ToolOutcome } from '../calls/tool-calls.ts'
import { callsWithoutResult, resultRow } from '../calls/tool-round.ts'
import type { Core } from '../core.ts'
import { OUTCOME_UNKNOWN } from '../run/context.ts'
import { toLastRun } from '../run/run-end.ts'
import { NOTHING, type QueuedSend } from './activity.ts'
import { isOutrun } from './refusals.ts'
import type { Session } from './session.ts'

/** The node of a run that was taken from its process, and that no process has ended yet: the name of no lock. */
const NOBODY = 'nobody'
const UNKNOWN: ToolOutcome = { content: OUTCOME_UNKNOWN, isError: true }

/**
 * Brings a session that was just loaded into a state from which it can go on: queued sends come back into the queue; a run
 * of another living process is followed; a run whose process died is ended as interrupted, its calls without result answered
 * by "outcome unknown" and never executed again (I1, I5); a run that was stored but never began (its send was refused while
 * the store was away) is queued.
 */
export async function recover(session: Session, loaded: LoadedSession): Promise<void> {
  try {
    await mend(session, loaded)
  } catch (thrown) {
    if (!isOutrun(thrown)) throw thrown
    // Of processes that find a dead one's run in the same moment one ends it; the others take what that one stored.
    const mended = await session.core.store.load(session.id)
    if (mended === undefined) throw new ParleyError('session_not_found')
    session.activity = NOTHING
    session.adopt(mended)
    await mend(session, mended)
  }
}

async function mend(session: Session, loaded: LoadedSession): Promise<void> {
  const running = loaded.openRuns.find(({ run }) => run.status === 'running' && run.id !== session.active?.runId)
  session.queue = queueOf(loaded)
  if (running === undefined) return
  if (running.run.node === session.core.store.node) await resumeUnbegun(session, running)
  else if (running.nodeAlive) await followRun(session, running.run)
  else await endDead(session, running.run)
}

/**
 * Takes the store's word over ours, within `session.exclusive`; of a session whose run is on here only what others may have
 * changed meanwhile. False: the store does not have it any more. When it fails the session is as it was, and in doubt.
 */
export async function reload(session: Session): Promise<boolean> {
  try {
    const loaded = await loadUnchanged(session)
    if (loaded === undefined) return false
    if (!session.isOwnedBy(loaded.session)) throw new ParleyError('session_not_found')
    tellTaken(session, loaded)
    if (session.activity.kind === 'running' || session.activity.kind === 'saving') {
      if (await isMadeAnew(session, loaded)) return false
      session.learn(loaded.session)
      session.queue = queueOf(loaded)
      return true
    }
    await adoptAnew(session, loaded)
    return true
  } catch (thrown) {
    session.doubtful = true
    throw thrown
  }
}

/** Where another process started a run, what waited here and does not wait there any more may be the one: it is told there. */
function tellTaken(session: Session, loaded: LoadedSession): void {
  if (loaded.lastPosition <= session.lastPosition) return
  const waits = new Set(queueOf(loaded).map(({ run }) => run.id))
  const taken = new Set(session.queue.map(({ run }) => run.id).filter((id) => !waits.has(id)))
  if (taken.size === 0) return
  for (const watcher of session.watchers) watcher.taken?.(taken)
}

/** Nothing of ours is on. When it fails, a run of another process goes on being followed. */
async function adoptAnew(session: Session, loaded: LoadedSession): Promise<void> {
  // As it is behind the reading: what was on before it may have ended, and nobody would end it again.
  const before = session.activity
  session.activity = NOTHING
  session.adopt(loaded)
  try {
    await recover(session, loaded)
  } catch (thrown) {
    if (session.activity.kind === 'none') session.activity = before
    throw thrown
  }
}

/** Our session was deleted, and there is another of its id: it has not our run. Of one that two processes made at once it has. */
async function isMadeAnew({ core, id, row, active }: Session, { session }: LoadedSession): Promise<boolean> {
  if (active === undefined || session.createdAt === row.createdAt) return false
  return (await core.store.findRun(id, active.runId)) === undefined
}

/** What the store holds, read while no run of ours began or ended: else its rows are older than what is in memory. */
async function loadUnchanged(session: Session): Promise<LoadedSession | undefined> {
  for (;;) {
    const { activity } = session
    const loaded = await session.core.store.load(session.id)
    if (session.activity === activity) return loaded
  }
}

function queueOf({ openRuns }: LoadedSession): QueuedSend[] {
  return openRuns.flatMap((open) => (open.run.status === 'queued' ? toQueued(open) : []))
}

async function followRun(session: Session, { id: runId, node = '' }: RunRow): Promise<void> {
  const history = await session.history()
  session.activity = { kind: 'elsewhere', runId, node, history }
  // Only the store knows what the other process takes.
  session.hidesSends = true
}

/** Ours, but not in memory: it was stored by a write whose answer got lost, or its end could not be saved. */
async function resumeUnbegun(session: Session, open: OpenRun): Promise<void> {
  const rows = (await session.history()).runRows(open.run.id)
  // One that goes on from another is not asked for again: the answers that it came from are given.
  const isAsked = open.userMessage !== undefined
  if (!isAsked || rows.some((row) => row.role !== 'user')) return endDead(session, open.run)
  // In the store as well: whoever comes before it in the queue gets its position, and is then the one that runs.
  const { position = 1, startedAt: _start, node: _node, ...rest } = open.run
  const run: RunRow = { ...rest, status: 'queued' }
  await session.change({ status: 'processing' }, { runs: [run] }, session.core.settings.storeGiveUpMs)
  session.queue = [...toQueued({ ...open, run }), ...session.queue]
  session.lastPosition = position - 1
}

/** Of two processes that find it at the same time one ends it: the other's fence is not above, and its node is another. */
async function endDead(session: Session, found: RunRow): Promise<void> {
  const { core } = session
  const run = await takeAway(session, found)
  const rows = await rowsOf(session, run)
  const before = session.waiting === undefined ? undefined : await closeApproved(session)
  const messages = [...(before?.results ?? []), ...interruptedAnswers(rows), ...unknownResults(core, run, rows)]
  const ended: RunRow = {
    ...run,
    status: 'interrupted',
    endedAt: core.now(),
    node: core.store.node,
    fence: run.fence + 1,
  }
  const status = session.queue.length > 0 ? 'processing' : 'interrupted'
  const runs = before === undefined ? [ended] : [before.run, ended]
  await session.change({ status }, { runs, messages }, core.settings.storeGiveUpMs)
  // Read anew: what is older than the window has changed, too.
  core.histories.remove(session.id)
  session.waiting = undefined
  session.lastRun = toLastRun(ended)
  core.telemetry.count('runs_ended_total', 1, 'interrupted')
  core.telemetry.log('warn', 'run of a dead process ended', { session: sessionTag(session.id), run: run.id })
}

/**
 * What the run's process, which may live after all, has still on its way is refused from then on: what is read behind it is all. Of
 * this and an end that its process stores the second is refused. It is nobody's then, not this process's, which may lose the store
 * before the end: the next who finds it ends it.
 */
export async function takeAway(session: Session, run: RunRow): Promise<RunRow> {
  if (run.node === NOBODY) return run
  const taken = { ...run, node: NOBODY, fence: run.fence + 1 }
  await session.save({ runs: [taken] }, session.core.settings.storeGiveUpMs)
  return taken
}

/** Approved calls of the run before, which the dead one was to make; of some it may have stored the result since it was looked at. */
async function closeApproved(session: Session): Promise<Answered | undefined> {
  const loaded = await session.core.store.load(session.id)
  if (loaded === undefined) throw new ParleyError('session_not_found')
  session.adopt(loaded)
  const history = await session.history()
  return closeAll(session.core, session.waiting, history, UNKNOWN)
}

/** All of it: an index that is only older than the window is not free. */
async function rowsOf({ core, id }: Session, run: RunRow): Promise<readonly MessageRow[]> {
  const found = await core.store.runMessages([{ sessionId: id, runId: run.id }])
  return found.get(id) ?? []
}

/** What the last request said is marked, unless tools already answered it: then it was whole. */
function interruptedAnswers(rows: readonly MessageRow[]): MessageRow[] {
  const lastTool = rows.findLastIndex((row) => row.role === 'tool')
  return rows
    .slice(lastTool + 1)
    .flatMap((row) => (row.role === 'user' || row.role === 'tool' ? [] : [{ ...row, interrupted: true }]))
}

/** Each with the lowest index that is free: of results that came side by side a crash may have taken one in the middle. */
function unknownResults(core: Core, { id: runId, sessionId }: RunRow, rows: readonly MessageRow[]): MessageRow[] {
  const taken = new Set(rows.map((row) => row.index))
  const nextIndex = (): number => {
    let index = 0
    while (taken.has(index)) index++
    taken.add(index)
    return index
  }
  const run = { core, sessionId, runId, nextIndex }
  return callsWithoutResult(rows, []).map(({ id }) => resultRow(run, id, UNKNOWN))
}

function toQueued({ run, userMessage }: OpenRun): QueuedSend[] {
  return userMessage === undefined ? [] : [{ run: { ...run, status: 'queued' }, message: userMessage }]
}
