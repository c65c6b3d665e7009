import type { RunRow } from '../../ports/store.ts'
import { sessionTag } from '../../ports/telemetry.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { LastRun } from '../../protocol/frames.ts'
import { NOTHING } from '../session/activity.ts'
import type { History } from '../session/history.ts'
import { takeAway } from '../session/recover.ts'
import { isOutrun, wentOn } from '../session/refusals.ts'
import { reconcile, renew } from '../session/renew.ts'
import type { Session } from '../session/session.ts'
import type { Run } from './run.ts'
import { endFacts, failedWith, type RunEnd, terminalEvent } from './run-end.ts'
import { resultEvent } from './run-events.ts'
import { logFence } from './run-plan.ts'
import { deletedApp, isInHistory, startRun } from './start-run.ts'
import { improveTitle } from './title.ts'

const MS_PER_SECOND = 1000
/** Milliseconds after which a queue whose next run could not be started is tried again: the store or the App may be back. */
const QUEUE_RETRY_MS = 5000
/** Milliseconds; also where what keeps it says a later time. */
const MAX_QUEUE_RETRY_MS = 60_000

/** Lets the run work, then saves and tells its end, then goes on with the queue. Never throws. */
export async function launch(session: Session, run: Run): Promise<void> {
  session.core.telemetry.count('runs_started_total')
  session.announceStatus()
  const end = await run.begin()
  try {
    await finish(session, run, end)
  } finally {
    run.plan.release?.()
  }
  await startNext(session)
}

/** Saves the end, then tells it: one terminal event, then the status (I1, I3). */
async function finish(session: Session, run: Run, end: RunEnd): Promise<void> {
  const { core } = session
  const results = run.stoppedResults()
  const approved = run.stoppedApproved()
  const messages = [...approved.messages, ...run.rows(), ...results]
  const facts = endFacts(end)
  const usage = run.usage.total()
  const row: RunRow = {
    ...run.plan.row,
    status: facts.runStatus,
    model: run.model,
    endedAt: core.now(),
    ...(usage.length === 0 ? {} : { usage }),
    ...(end.kind === 'failed' ? { errorCode: end.error.code } : {}),
    ...(end.kind === 'waiting' ? { pending: end.pending } : {}),
    // Of this process and one that took it for dead while it lives, the second to end the run is refused.
    fence: run.plan.row.fence + 1,
  }
  const { history } = requireRunning(session)
  const status = session.queue.length > 0 ? 'processing' : facts.sessionStatus
  const saved = session.change({ status }, { runs: [row, ...approved.runs], messages }, 'never')
  const told = await outcomeOfSave(session, row, saved, end)
  if (session.retired) return abandon(session, run, end)
  history.put(messages)
  history.trim(core.settings.windowBytes, core.settings.windowMessages)
  const terminal = terminalEvent(session.id, run.runId, told, usage)
  session.log.append([...[...approved.messages, ...results].map(resultEvent), terminal], logFence(row))
  session.log.settle()
  session.lastRun = lastRunOf(run, told)
  settle(session, { begun: run.plan.row, row, history, saved, late: told === end ? undefined : lastRunOf(run, end) })
  session.announceStatus()
  report(session, run, told)
  if (told.kind === 'success' || told.kind === 'waiting') void improveTitle(session, run.plan, run.model)
}

function requireRunning(session: Session): { history: History } {
  if (session.activity.kind !== 'running') throw new ParleyError('internal_error')
  return session.activity
}

/** The end as it may be told: the save is waited for within a bound. */
async function outcomeOfSave(session: Session, row: RunRow, saved: Promise<void>, end: RunEnd): Promise<RunEnd> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<RunEnd>((resolve) => {
    timer = setTimeout(() => resolve(failedWith(new ParleyError('store_unavailable'))), session.core.settings.endSaveMs)
  })
  try {
    return await Promise.race([saved.then(() => end), late])
  } catch (thrown) {
    if (session.retired) return end
    const fields = { session: sessionTag(session.id) }
    const fate = await fateOf(session, row, thrown)
    if (fate === 'stored') {
      session.doubtful = true
      return end
    }
    if (fate === 'taken') {
      session.core.telemetry.log('warn', 'run ended by another process', fields)
      // As the store has it. Not `end` itself: what that was to save is not there.
      return { kind: 'interrupted' }
    }
    session.core.telemetry.log('error', 'run end refused by the store', fields, thrown)
    return failedWith(new ParleyError('internal_error', { cause: thrown }))
  } finally {
    clearTimeout(timer)
  }
}

/**
 * What became of an end whose save was refused. `stored`: it was there already, as its answer had got lost, and another process
 * has gone on from it. `taken`: another took this one for dead, and ended its run as interrupted; also where nobody can say, as
 * who comes back learns it.
 */
async function fateOf({ core, id }: Session, row: RunRow, thrown: unknown): Promise<'stored' | 'taken' | 'refused'> {
  if (!isOutrun(thrown)) return 'refused'
  const stored = await core.store.findRun(id, row.id).catch(() => undefined)
  if (stored?.status === row.status && stored.endedAt === row.endedAt) return 'stored'
  return stored?.node === row.node ? 'refused' : 'taken'
}

/** Its session was deleted: nobody is left to be told, and nothing of it may stay in memory. */
function abandon(session: Session, run: Run, end: RunEnd): void {
  session.core.running.delete(session)
  session.activity = NOTHING
  report(session, run, end)
}

function lastRunOf(run: Run, end: RunEnd): LastRun {
  const code = end.kind === 'failed' ? { code: end.error.code } : {}
  return { runId: run.runId, outcome: endFacts(end).outcome, ...code }
}

/** A run's end, as it is being stored. `late`: how it really ended, where that was not told yet. */
type Ended = {
  readonly begun: RunRow
  readonly row: RunRow
  readonly history: History
  readonly saved: Promise<void>
  readonly late: LastRun | undefined
}

/**
 * After the terminal event: free; or pinned until the `late` save arrives, and then told how the run really ended. A save
 * that was refused leaves a copy that is wrong.
 */
function settle(session: Session, { begun, row, history, saved, late }: Ended): void {
  session.core.running.delete(session)
  const free = (): void => {
    session.core.histories.put(session.id, history)
    session.activity = { kind: 'none' }
    session.waiting = row.pending === undefined ? undefined : row
  }
  if (late === undefined) return free()
  session.activity = { kind: 'saving', history }
  const arrive = (): void => {
    free()
    session.lastRun = late
    session.announceStatus()
  }
  const refuse = async (thrown: unknown): Promise<void> => {
    const fate = await fateOf(session, row, thrown)
    session.doubtful = true
    if (fate === 'stored') return arrive()
    // As this process's it would be asked again by who opens the session next, and so on; as nobody's it is ended.
    if (fate === 'refused') await takeAway(session, begun).catch(() => undefined)
    session.activity = { kind: 'none' }
    session.retire(fate === 'taken' ? wentOn() : new ParleyError('internal_error', { cause: thrown }))
  }
  void saved.then(arrive, refuse).then(() => startNext(session))
}

function report(session: Session, run: Run, end: RunEnd): void {
  const { access, telemetry, now } = session.core
  const seconds = (now() - run.startedAt) / MS_PER_SECOND
  telemetry.count('runs_ended_total', 1, endFacts(end).runStatus)
  telemetry.observe('run_seconds', seconds)
  for (const { inputTokens, outputTokens } of run.usage.total()) {
    access.spent(session.row.app, inputTokens + outputTokens)
    telemetry.count('model_tokens_total', inputTokens, 'input')
    telemetry.count('model_tokens_total', outputTokens, 'output')
  }
  const fields = { session: sessionTag(session.id), run: run.runId, outcome: endFacts(end).outcome, seconds }
  if (end.kind === 'failed') telemetry.log('warn', 'run failed', { ...fields, code: end.error.code }, end.error.cause)
  else telemetry.log('info', 'run ended', fields)
}

/** Starts the first queued send when nothing is on. A store that is away leaves the queue as it is. */
export async function startNext(session: Session): Promise<void> {
  const run = await session
    .exclusive(() => takeNext(session))
    .catch((thrown: unknown) => {
      if (session.retired) return undefined
      session.core.telemetry.log('warn', 'queue waits', { session: sessionTag(session.id) }, thrown)
      session.queueWaitsUntil = session.core.uptime() + queueRetryMs(thrown)
      return undefined
    })
  if (run !== undefined) void launch(session, run)
}

/** Tokens that are used up come back at midnight; somebody may raise the limit before. */
function queueRetryMs(thrown: unknown): number {
  const told = thrown instanceof ParleyError ? (thrown.retryAfterMs ?? 0) : 0
  return Math.min(Math.max(told, QUEUE_RETRY_MS), MAX_QUEUE_RETRY_MS)
}

/** I12: what waits when a drain begins goes on in the next process. */
function mayTakeNext({ activity, retired, core }: Session): boolean {
  return activity.kind === 'none' && !retired && !core.draining()
}

async function takeNext(session: Session): Promise<Run | undefined> {
  if (!mayTakeNext(session)) return undefined
  await reconcile(session)
  // Another process may have a run on, as the store has just said: only when that has ended is it known which calls it leaves open.
  if (!mayTakeNext(session)) return undefined
  const [next] = session.queue
  if (next === undefined) return settleStatus(session)
  const app = await session.core.apps.get(session.row.app)
  const history = await session.history()
  const { replaces, ...run } = next.run
  // What it was to replace may have left by now.
  const replacing = replaces !== undefined && (await isInHistory(session, history, replaces))
  try {
    const start = { run: replacing ? next.run : run, message: next.message, history }
    const started = await startRun(session, app ?? deletedApp(session.row.app), start)
    session.queue = session.queue.slice(1)
    if (app === undefined) started.stop(failedWith(new ParleyError('app_not_found')))
    return started
  } catch (thrown) {
    if (!isOutrun(thrown)) throw thrown
    // Another process has it: this one follows.
    await renew(session)
    return undefined
  }
}

/** The queue was emptied after the last run had ended: the store still says that there is work. */
async function settleStatus(session: Session): Promise<undefined> {
  if (session.row.status !== 'processing') return
  await session.change({ status: session.status }, {}, session.core.settings.storeGiveUpMs)
  session.announceStatus()
}
