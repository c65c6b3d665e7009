import { ParleyError } from '../../protocol/errors.ts'

/** Refusals that say that the store may hold what memory does not: our own write, or a run that we know nothing of. */
const DOUBTS: ReadonlySet<string> = new Set(['store_unavailable', 'overloaded'])

export function leavesDoubt(thrown: unknown): boolean {
  return thrown instanceof ParleyError && DOUBTS.has(thrown.code)
}

/** Refused because another process did something first: a run of the session is on, or has this position or this fence. */
export function isOutrun(thrown: unknown): boolean {
  return thrown instanceof ParleyError && (thrown.code === 'conflict' || thrown.code === 'overloaded')
}

/** What is told of a session whose run or copy is not this process's any more. */
export function wentOn(retryAfterMs?: number): ParleyError {
  return new ParleyError('overloaded', { message: 'The session went on in another process', retryAfterMs })
}
