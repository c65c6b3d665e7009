import { MAX_USER_SESSIONS, type SessionDirectory, type UserDeletion, type UserOwner } from '../../ports/sessions.ts'
import type { Owner, SessionChoice, SessionSummary } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Core } from '../core.ts'
import { changeRecord, renew } from './renew.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** Sessions of a user that are deleted side by side: each stops its run and waits for its save. */
const USER_PAGE = 20

/** How often a session is looked for that another process changes in the same moment. */
const TRIES = 5

/** Sessions as HTTP sees them: the same memory tier and the same rules as the socket's commands. */
export class Directory implements SessionDirectory {
  readonly #core: Core
  readonly #sessions: Sessions

  constructor(core: Core, sessions: Sessions) {
    this.#core = core
    this.#sessions = sessions
  }

  async list(owner: Owner, limit: number, which: SessionChoice = {}): Promise<readonly SessionSummary[]> {
    if (owner.account === undefined && owner.user === undefined && which.wallet === undefined) return []
    return this.#core.store.list(owner, limit, which)
  }

  async rename(owner: Owner, sessionId: string, title: string): Promise<void> {
    const session = await this.#existing(owner, sessionId)
    await changeRecord(session, { title, titleBy: 'person' })
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

  async deleteEmpty(owner: Owner, sessionId: string): Promise<void> {
    const session = await this.#existing(owner, sessionId)
    await session.exclusive(async () => {
      for (let tries = 0; tries < TRIES; tries++) {
        const { lastPosition, queue, runId } = session
        if (session.retired || lastPosition > 0 || queue.length > 0 || runId !== undefined) return
        // The store decides: another process may have done the same, and have made the one that has its id now.
        if (await this.#core.store.delete(sessionId, session.row))
          return this.#sessions.drop(session, new ParleyError('session_not_found'))
        await renew(session)
      }
      throw new ParleyError('overloaded')
    })
  }

  async deleteUser(owner: UserOwner): Promise<UserDeletion> {
    for (let deleted = 0; ; ) {
      const page = await this.#core.store.list(owner, USER_PAGE)
      if (page.length === 0 || deleted >= MAX_USER_SESSIONS) return { deleted, complete: page.length === 0 }
      const done = await Promise.all(page.map(({ id }) => this.#deleteListed(owner, id)))
      const count = done.filter(Boolean).length
      // Others delete the same, or the store says what is no longer so: who asks again finds what is left.
      if (count === 0) throw new ParleyError('overloaded')
      deleted += count
    }
  }

  /** False: it was gone already. */
  async #deleteListed(owner: Owner, sessionId: string): Promise<boolean> {
    try {
      await this.delete(owner, sessionId)
      return true
    } catch (thrown) {
      if (thrown instanceof ParleyError && thrown.code === 'session_not_found') return false
      throw thrown
    }
  }

  async #existing(owner: Owner, sessionId: string): Promise<Session> {
    const session = await this.#sessions.use(async () => {
      // Found, not opened: a session that is asked for in vain must not be made, as another owner's of its id could not be opened then.
      const found = await this.#sessions.existing(sessionId)
      return found?.isOwnedBy(owner) === true ? found : undefined
    })
    // Somebody is connected who said nothing; in another process somebody may have.
    if (session?.stored === false) await session.exclusive(() => renew(session))
    if (session?.stored !== true) throw new ParleyError('session_not_found')
    return session
  }
}
