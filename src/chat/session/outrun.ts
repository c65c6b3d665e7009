import { ParleyError } from '../../protocol/errors.ts'
import { isOutrun } from './refusals.ts'
import { renew } from './renew.ts'
import type { Session } from './session.ts'

/** How often another process may be first, of several that answer the same calls at once. */
const TRIES = 5

/**
 * Does `work`, within `session.exclusive`. Where another process was first, what that one stored is taken over; as long as this
 * copy was behind it, `work` is done anew on what is there.
 */
export async function onNewest<T>(session: Session, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (thrown) {
      if (!isOutrun(thrown)) throw thrown
      const isNewer = await isBehind(session)
      if (session.retired) throw new ParleyError('session_not_found')
      if (!isNewer || tries === TRIES) throw thrown
    }
  }
}

/** True when the store had more than this copy, which it now has, too. */
async function isBehind(session: Session): Promise<boolean> {
  const { lastPosition, runId, waiting } = session
  await renew(session)
  return session.lastPosition !== lastPosition || session.runId !== runId || session.waiting?.fence !== waiting?.fence
}
