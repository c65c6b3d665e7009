import { sessionTag } from '../../ports/telemetry.ts'
import type { Session } from '../session/session.ts'

/**
 * A person stops the run that is on: here at once, in another process by a word to it. Gives the run's id where there is one
 * and, when `runId` says which, it is that. Rejects when the other process cannot be told.
 */
export async function stopRun(session: Session, runId?: string): Promise<string | undefined> {
  const { activity, core } = session
  if (runId !== undefined && runId !== session.runId) return undefined
  if (activity.kind === 'running') return activity.run.stop({ kind: 'cancelled' }) ? activity.run.runId : undefined
  if (activity.kind !== 'elsewhere') return undefined
  await core.store.tellElsewhere('cancel', [{ node: activity.node, sessionId: session.id, runId: activity.runId }])
  core.telemetry.log('info', 'stop sent to another process', { session: sessionTag(session.id), run: activity.runId })
  return activity.runId
}
