import type { Conversation, Conversations, Follower, Sender, ToolAnswer, ToolAsk } from '../../ports/conversations.ts'
import type { Owner } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Wallet } from '../../protocol/messages.ts'
import type { Hub } from '../connection/hub.ts'
import type { Session } from '../session/session.ts'
import { SessionConversation } from './conversation.ts'
import { Followers } from './followers.ts'
import { callOutsideRun } from './tool-call.ts'
import { Visits } from './visits.ts'

/** Sessions as HTTP serves them, from the memory tier and by the rules of the socket. */
export class ProjectedConversations implements Conversations {
  readonly #hub: Hub
  readonly #followers: Followers
  readonly #visits: Visits

  constructor(hub: Hub) {
    this.#hub = hub
    this.#followers = new Followers(hub)
    this.#visits = new Visits(hub.core.now)
  }

  find(sessionId: string): Promise<Conversation | undefined> {
    return this.#use(() => this.#hub.sessions.existing(sessionId))
  }

  held(sessionId: string): Conversation | undefined {
    const session = this.#hub.sessions.find(sessionId)
    return session === undefined || session.retired ? undefined : new SessionConversation(session)
  }

  async open(sessionId: string, owner: Owner, wallet?: Wallet): Promise<Conversation> {
    const conversation = await this.#use(() => this.#hub.sessions.open(sessionId, owner, wallet))
    if (conversation === undefined) throw new ParleyError('session_not_found')
    return conversation
  }

  callTool(sender: Sender, app: string, ask: ToolAsk): Promise<ToolAnswer | undefined> {
    return callOutsideRun(this.#hub.core, sender, app, ask)
  }

  follow(sessionId: string, follower: Follower): () => void {
    return this.#followers.add(sessionId, follower)
  }

  /** Those who follow are let go, and come back to the next process. */
  stop(): void {
    this.#followers.stop()
    this.#visits.stop()
  }

  async #use(find: () => Promise<Session | undefined>): Promise<Conversation | undefined> {
    const session = await this.#hub.sessions.use(find)
    if (session === undefined) return undefined
    this.#visits.seen(session)
    this.#followers.arrived(session)
    return new SessionConversation(session)
  }
}
