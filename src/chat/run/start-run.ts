import type { App } from '../../ports/apps.ts'
import type { MessageRow, RunRow, SessionRow, StoredRun } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { ApprovedCalls } from '../calls/approved-calls.ts'
import { type Answered, closeAll, DECLINED_BY_MESSAGE } from '../calls/open-calls.ts'
import type { History } from '../session/history.ts'
import { wentOn } from '../session/refusals.ts'
import { NOTHING_UNTOLD, type Session } from '../session/session.ts'
import { Run } from './run.ts'
import type { RunPlan } from './run-plan.ts'

/** When a client may send again to a session whose copy was old: at once, by the clock of people. */
const STALE_RETRY_MS = 100

/** What a run starts from. */
export type Start = {
  readonly run: RunRow
  /** Absent when it goes on from the run before. */
  readonly message?: MessageRow
  /** What it goes on from. */
  readonly continues?: Answered
  readonly history: History
  /** What else of the session changes with it. */
  readonly changes?: Partial<SessionRow>
  readonly release?: () => void
}

/**
 * As `storeStart`, with a place among the runs of the App and the account. The run gives it back at its end, and with it what
 * `start.release` stands for; a start that fails does so at once.
 */
export async function startRun(session: Session, app: App, start: Start): Promise<Run> {
  let leave: (() => void) | undefined
  const release = (): void => {
    leave?.()
    start.release?.()
  }
  try {
    leave = await session.core.access.takeRun(session.row, app)
    return await storeStart(session, app, { ...start, release })
  } catch (thrown) {
    release()
    throw thrown
  }
}

/**
 * Makes the start durable, then puts it into memory and reserves the session; `launch` lets it speak. A run that replaces
 * another takes that one and all after it out of history. Called within `session.exclusive`.
 */
async function storeStart(
  session: Session,
  app: App,
  { run, message, continues, history, changes = {}, release }: Start,
): Promise<Run> {
  const { core } = session
  const row: RunRow = {
    ...run,
    status: 'running',
    model: chosenModel(session, app.model),
    position: session.lastPosition + 1,
    startedAt: core.now(),
    node: core.store.node,
    // Of two processes that start it, or one that starts it and one that removes it, the second is refused.
    fence: run.fence + 1,
  }
  const older = await olderReplaced(session, history, row.replaces)
  const supersede = row.replaces === undefined ? {} : { supersedeFromRun: row.replaces }
  // Calls that nobody answered are declined by whatever starts next.
  const before = continues ?? closeAll(core, session.waiting, history, DECLINED_BY_MESSAGE)
  const results = before?.results ?? []
  const untold = history.rows.filter(({ id }) => session.untold.has(id))
  const said = message === undefined ? [] : [message]
  const runs = before === undefined ? [row] : [row.replaces === undefined ? before.run : replaced(before.run), row]
  const write = { runs, messages: [...results, ...said], ...supersede }
  await session
    .change({ ...changes, status: 'processing' }, write, core.settings.storeGiveUpMs)
    .catch(async (thrown: unknown) => {
      throw (await wentOnElsewhere(session, thrown)) ?? thrown
    })
  session.lastPosition++
  session.waiting = undefined
  session.untold = NOTHING_UNTOLD
  history.put(results)
  const removed = row.replaces === undefined ? [] : history.removeFrom(row.replaces)
  history.put(said)
  const from = older ?? removed.find(({ id }) => id !== message?.id)?.id
  const plan = {
    row,
    ...(message === undefined ? {} : { userMessage: message }),
    app,
    // Those of calls that left history need not be told.
    results: [...untold, ...results].filter((result) => !removed.includes(result)),
    ...(continues?.run.pending === undefined ? {} : { approved: new ApprovedCalls(core, continues.run, history) }),
    ...(from === undefined ? {} : { rewindFrom: from }),
    ...(release === undefined ? {} : { release }),
  }
  return reserve(session, plan, history)
}

/** P-72: the first message of the run that is replaced, where the window begins behind it: clients may hold what is between. */
async function olderReplaced(
  session: Session,
  history: History,
  runId: string | undefined,
): Promise<string | undefined> {
  if (runId === undefined || !history.hasMore || history.runRows(runId)[0]?.index === 0) return undefined
  const found = await session.core.store.runMessages([{ sessionId: session.id, runId }])
  return found.get(session.id)?.[0]?.id
}

/** The newest ended run leaves history whatever it is that is replaced, and the write that closes its calls has to say so. */
function replaced(run: RunRow): StoredRun {
  return { ...run, superseded: true }
}

/**
 * The position was taken, or open calls were answered: our copy is old, and nothing is wrong with the request. The next command
 * reads the store first.
 */
async function wentOnElsewhere(session: Session, thrown: unknown): Promise<ParleyError | undefined> {
  if (!(thrown instanceof ParleyError) || thrown.code !== 'conflict') return undefined
  const loaded = await session.core.store.load(session.id)
  const { lastPosition, waiting } = session
  if (loaded === undefined) return undefined
  const isAnswered = waiting !== undefined && loaded.lastRun?.fence !== waiting.fence
  if (loaded.lastPosition <= lastPosition && !isAnswered) return undefined
  session.doubtful = true
  return wentOn(STALE_RETRY_MS)
}

/** Reserves the session for the run; it speaks only once `launch` is called, after its acknowledgement went out. */
function reserve(session: Session, plan: RunPlan, history: History): Run {
  const run = new Run(session, plan)
  session.activity = { kind: 'running', run, history }
  session.core.running.add(session)
  return run
}

/** The App as it is now: a change of its definition holds from the next run on. */
export async function currentApp({ core, row }: Session): Promise<App> {
  const app = await core.apps.get(row.app)
  if (app === undefined) throw new ParleyError('app_not_found')
  return app
}

/** Of one that was deleted. What waits for it starts only to end: nobody can open the session, but the send and its error stand in history. */
export function deletedApp(id: string): App {
  const model = { default: 'none', allowed: [], maxOutputTokens: 1, contextTokens: 1 }
  return { id, name: id, preamble: '', model, tools: [] }
}

/** A run that another can take the place of: it is in the window, or in the older part of history that only the store has. */
export async function isInHistory({ core, id }: Session, history: History, runId: string): Promise<boolean> {
  if (history.holds(runId)) return true
  const run = history.hasMore ? await core.store.findRun(id, runId) : undefined
  return run?.position !== undefined && run.superseded === undefined
}

/** The session's choice while the App still allows it, else the App's default. */
export function chosenModel(
  session: Session,
  config: { readonly default: string; readonly allowed: readonly string[] },
): string {
  const { model } = session.row
  return model !== undefined && config.allowed.includes(model) ? model : config.default
}
