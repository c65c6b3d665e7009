import { randomUUID } from 'node:crypto'
import type { MessageRow } from '../../ports/store.ts'
import type { RunRetry } from '../../protocol/commands.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { askedRun, type Caller, type Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'
import { launch } from '../run/run-lifecycle.ts'
import { currentApp, startRun } from '../run/start-run.ts'
import type { History } from '../session/history.ts'
import { isOutrun } from '../session/refusals.ts'
import { reconcile, renew } from '../session/renew.ts'
import type { Session } from '../session/session.ts'
import { assertAccepting, assertNewRun } from './message-send.ts'

/** Answers the same message again: a new run takes the place of the named one and of all after it. `chosenId`: its id. */
export async function runRetry(core: Core, caller: Caller, command: RunRetry, chosenId?: string): Promise<Outcome> {
  const { session } = caller
  return session.exclusive(async () => {
    assertAccepting(core, session)
    await reconcile(session)
    if (session.activity.kind !== 'none' || session.queue.length > 0) throw new ParleyError('run_active')
    if (chosenId !== undefined) await assertNewRun(session, chosenId)
    const history = await session.history()
    const asked = history.questionOf(command.runId) ?? (await questionBefore(session, history, command.runId))
    if (asked === undefined) throw new ParleyError('not_found', { message: 'The run to retry is not in this session' })
    const app = await currentApp(session)
    const release = await core.access.admitRun(caller.principal, caller.from, app)
    const id = chosenId ?? randomUUID()
    const run = { ...askedRun(caller, id), replaces: asked.runId }
    // A copy with an id of its own: ids are unique in a session, and the replaced run keeps its message.
    const message = { ...asked, id: `${id}-${asked.index}`, runId: id }
    try {
      const started = await startRun(session, app, { run, message, history, release })
      return { ack: { runId: id }, after: () => void launch(session, started) }
    } catch (thrown) {
      if (isOutrun(thrown)) await renew(session)
      throw thrown
    }
  })
}

/** Of a run that went on from another and ended before it had a message of its own: what the one before it answers. */
async function questionBefore({ core, id }: Session, history: History, runId: string): Promise<MessageRow | undefined> {
  const run = await core.store.findRun(id, runId)
  if (run?.parentRunId === undefined || run.position === undefined || run.superseded !== undefined) return undefined
  return history.questionOf(run.parentRunId)
}
