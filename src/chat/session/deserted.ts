import type { Core } from '../core.ts'
import type { Run } from '../run/run.ts'

/** Milliseconds that a grace lasts at least where there are other processes: who came back through one of them has to be heard of. */
const HEARD_MS = 3000
/** How often within a grace a process says that somebody watches. */
const TELLS_PER_GRACE = 3
/** Milliseconds between two such words at most. */
const MAX_TELL_MS = 20_000

/** Where its App asks for it, a run that nobody watches any more is stopped after a grace (I4); each of a queue has its own. */
export function isDeserted({ store }: Core, run: Run, leftAt: number | undefined, time: number): boolean {
  const grace = run.plan.app.stopAfterDisconnectMs
  if (grace === undefined || leftAt === undefined) return false
  return time - Math.max(leftAt, run.begunAt) >= Math.max(grace, store.others > 0 ? HEARD_MS : 0)
}

/** Milliseconds between two words of a process where somebody watches. */
export function tellMs(grace: number): number {
  return Math.min(grace / TELLS_PER_GRACE, MAX_TELL_MS)
}
