import type { App } from '../ports/apps.ts'
import type { MessageRow, RunRow, SessionRow } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { History } from './history.ts'
import { Run } from './run.ts'
import type { RunPlan } from './run-plan.ts'
import type { Session } from './session.ts'

/** What a run starts from. */
export type Start = {
  readonly run: RunRow
  readonly message: MessageRow
  readonly history: History
  /** What else of the session changes with it. */
  readonly changes?: Partial<SessionRow>
  readonly release?: () => void
}

/**
 * Makes the start durable, then puts it into memory and reserves the session; `launch` lets it speak. A run that replaces
 * another takes that one and all after it out of history. Called within `session.exclusive`.
 */
export async function startRun(
  session: Session,
  app: App,
  { run, message, history, changes = {}, release }: Start,
): Promise<Run> {
  const { core } = session
  const row: RunRow = {
    ...run,
    status: 'running',
    model: chosenModel(session, app.model),
    position: session.lastPosition + 1,
    startedAt: core.now(),
    node: core.store.node,
  }
  const supersede = row.replaces === undefined ? {} : { supersedeFromRun: row.replaces }
  await session.change(
    { ...changes, status: 'processing' },
    { runs: [row], messages: [message], ...supersede },
    core.settings.storeGiveUpMs,
  )
  session.lastPosition++
  const removed = row.replaces === undefined ? [] : history.removeFrom(row.replaces)
  history.put([message])
  const from = removed.find(({ id }) => id !== message.id)?.id
  const plan = {
    row,
    userMessage: message,
    app,
    ...(from === undefined ? {} : { rewindFrom: from }),
    ...(release === undefined ? {} : { release }),
  }
  return reserve(session, plan, history)
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

/** The session's choice while the App still allows it, else the App's default. */
export function chosenModel(
  session: Session,
  config: { readonly default: string; readonly allowed: readonly string[] },
): string {
  const { model } = session.row
  return model !== undefined && config.allowed.includes(model) ? model : config.default
}
