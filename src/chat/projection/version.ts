import type { Session } from '../session/session.ts'

type Seen = { readonly parts: readonly unknown[]; readonly version: string }

const SEEN = new WeakMap<Session, Seen>()
let versions = 0

/**
 * Names what a session shows now; the same name as long as nothing of it changed. All that a session shows is replaced, never
 * changed in place, or moves the log, so that a look at the parts themselves is enough.
 */
export function versionOf(session: Session): string {
  const { log, row, queue, lastRun, activity, runId, status, waiting } = session
  const parts = [log.head.seq, row, queue, lastRun, activity, runId, status, session.active?.ended, waiting]
  const seen = SEEN.get(session)
  if (seen?.parts.every((part, index) => part === parts[index]) === true) return seen.version
  versions++
  const version = `${log.epoch}-${versions}`
  SEEN.set(session, { parts, version })
  return version
}
