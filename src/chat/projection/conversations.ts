import type { Conversation, Conversations, Follower } from '../../ports/conversations.ts'
import type { Owner } from '../../ports/store.ts'
import type { Hub } from '../hub.ts'
import type { Session } from '../session.ts'
import { SessionConversation } from './conversation.ts'
import { Followers } from './followers.ts'

/** Sessions as HTTP serves them, from the memory tier and by the rules of the socket. */
export class ProjectedConversations implements Conversations {
  readonly #hub: Hub
  readonly #followers: Followers

  constructor(hub: Hub) {
    this.#hub = hub
    this.#followers = new Followers(hub)
  }

  async find(sessionId: string): Promise<Conversation | undefined> {
    const session = await this.#hub.sessions.existing(sessionId)
    return session === undefined ? undefined : this.#use(session)
  }

  held(sessionId: string): Conversation | undefined {
    const session = this.#hub.sessions.find(sessionId)
    return session === undefined || session.retired ? undefined : new SessionConversation(session)
  }

  async open(sessionId: string, owner: Owner): Promise<Conversation> {
    return this.#use(await this.#hub.sessions.open(sessionId, owner))
  }

  follow(sessionId: string, follower: Follower): () => void {
    return this.#followers.add(sessionId, follower)
  }

  /** Those who follow are let go, and come back to the next process. */
  stop(): void {
    this.#followers.stop()
  }

  /** Stays in memory until the next sweep at least. */
  #use(session: Session): Conversation {
    this.#hub.pin(session)
    this.#followers.arrived(session)
    return new SessionConversation(session)
  }
}
