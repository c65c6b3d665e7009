import type { SessionDirectory } from '../ports/sessions.ts'
import type { Owner, SessionSummary } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Core } from './core.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** Sessions as HTTP sees them: the same memory tier and the same rules as the socket's commands. */
export class Directory implements SessionDirectory {
  readonly #core: Core
  readonly #sessions: Sessions

  constructor(core: Core, sessions: Sessions) {
    this.#core = core
    this.#sessions = sessions
  }

  async list(
    owner: Owner,
    limit: number,
    before?: number,
    wallet?: string,
    proven?: boolean,
  ): Promise<readonly SessionSummary[]> {
    if (owner.account === undefined && owner.user === undefined && wallet === undefined) return []
    return this.#core.store.list(owner, limit, before, wallet, proven)
  }

  async rename(owner: Owner, sessionId: string, title: string): Promise<void> {
    const session = await this.#existing(owner, sessionId)
    await session.exclusive(() => session.change({ title, titleBy: 'person' }, {}, this.#core.settings.storeGiveUpMs))
    session.announce({ type: 'session.updated', title })
  }

  async delete(owner: Owner, sessionId: string): Promise<void> {
    const session = await this.#existing(owner, sessionId)
    // As one command: what is asked for meanwhile waits, and finds the session gone.
    await session.exclusive(async () => {
      // Deleted by another request while this one waited: what has its id now is somebody's new one.
      if (session.retired) throw new ParleyError('session_not_found')
      session.active?.stop({ kind: 'cancelled' })
      // Its last writes go first: the store keeps their order, so nothing comes back after the delete.
      await session.settled()
      await this.#core.store.delete(sessionId)
      this.#sessions.drop(session, new ParleyError('session_not_found'))
    })
  }

  async #existing(owner: Owner, sessionId: string): Promise<Session> {
    // Found, not opened: a session that is asked for in vain must not be made, as another owner's of its id could not be opened then.
    const session = await this.#sessions.existing(sessionId)
    if (session?.stored !== true || !session.isOwnedBy(owner)) throw new ParleyError('session_not_found')
    this.#sessions.pin(session)
    return session
  }
}
