import { randomUUID } from 'node:crypto'
import type { MessageRow, PendingCall, RunRow } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { askedRun, type Caller, type Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'
import { assertAccepting } from '../handlers/message-send.ts'
import { launch } from '../run/run-lifecycle.ts'
import { currentApp, startRun } from '../run/start-run.ts'
import type { History } from '../session/history.ts'
import { onNewest } from '../session/outrun.ts'
import { reconcile } from '../session/renew.ts'
import type { Session } from '../session/session.ts'
import { type Answered, ResultRows, taken, unanswered } from './open-calls.ts'
import type { ToolOutcome } from './tool-calls.ts'

/** What becomes of an open call: its result, or that it is made. */
export type Answer = {
  readonly toolCallId: string
  readonly kind: PendingCall['kind']
  readonly outcome: ToolOutcome | 'approved'
}

/**
 * Stores answers to open calls before they are acknowledged. The first answer of a call counts, others are told `duplicate`.
 * Once no call is unanswered the next run goes on from them; `runId` is its id, where the client chose one.
 */
export function answerCalls(
  core: Core,
  caller: Caller,
  answers: readonly Answer[],
  runId: string = randomUUID(),
): Promise<Outcome> {
  const { session } = caller
  // Where another process was first, what it stored decides.
  return session.exclusive(() => onNewest(session, () => answer(core, caller, answers, runId)))
}

async function answer(core: Core, caller: Caller, answers: readonly Answer[], runId: string): Promise<Outcome> {
  const { session } = caller
  assertAccepting(core, session)
  await reconcile(session)
  const history = await session.history()
  const fresh = freshOf(session, history, answers)
  if (session.waiting === undefined || fresh.length === 0) return { ack: { duplicate: true } }
  const answered = withAnswers(core, session.waiting, history, fresh)
  if (unanswered(answered.run).length > 0) return stillWaits(core, session, history, answered)
  return goOn(core, caller, history, answered, runId)
}

/** Answers to calls that wait for one. One of an unknown call is refused, with all of them. */
function freshOf(session: Session, history: History, answers: readonly Answer[]): readonly Answer[] {
  const open = unanswered(session.waiting)
  const isOpen = ({ toolCallId, kind }: Answer): boolean =>
    open.some((call) => call.toolCallId === toolCallId && call.kind === kind)
  const known = new Set(history.rows.flatMap((row) => row.toolCalls?.map(({ id }) => id) ?? []))
  const isDone = ({ toolCallId }: Answer): boolean =>
    known.has(toolCallId) && !open.some((call) => call.toolCallId === toolCallId)
  if (!answers.every((one) => isOpen(one) || isDone(one))) throw nothingPending()
  return answers.filter(isOpen)
}

/** The error of a claim or an answer for which nothing waits. */
export function nothingPending(): ParleyError {
  return new ParleyError('not_found', {
    message: 'Nothing in this session waits for an answer of this kind to this call',
  })
}

function withAnswers(core: Core, run: RunRow, history: History, answers: readonly Answer[]): Answered {
  const rows = new ResultRows(core, run, history)
  const results: MessageRow[] = []
  const left = (run.pending ?? []).flatMap((call): PendingCall[] => {
    const outcome = answers.find(({ toolCallId }) => toolCallId === call.toolCallId)?.outcome
    if (outcome === undefined) return [call]
    if (outcome === 'approved') return [{ ...call, approved: true }]
    results.push(rows.of(call.toolCallId, outcome))
    return []
  })
  return { run: taken(core, run, left), results }
}

async function stillWaits(core: Core, session: Session, history: History, answered: Answered): Promise<Outcome> {
  const { run, results } = answered
  await session.change({}, { runs: [run], messages: results }, core.settings.storeGiveUpMs)
  history.put(results)
  core.histories.grew(session.id, history)
  // P-71: no event stands outside of a run.
  session.untold = new Set([...session.untold, ...results.map(({ id }) => id)])
  session.waiting = run
  session.announceStatus()
  return { ack: { duplicate: false } }
}

async function goOn(
  core: Core,
  caller: Caller,
  history: History,
  continues: Answered,
  runId: string,
): Promise<Outcome> {
  const { session } = caller
  const app = await currentApp(session)
  const release = await core.access.admitRun(caller.principal, caller.from, app)
  const run = { ...askedRun(caller, runId), parentRunId: continues.run.id }
  const started = await startRun(session, app, { run, continues, history, release })
  return { ack: { runId, duplicate: false }, after: () => void launch(session, started) }
}
