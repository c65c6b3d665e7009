import type { MessagesApiOptions, MessagesRequest, Reply } from '../support/messages-api.ts'
import { CANARY } from './upstream-canaries.ts'

type Asked = { readonly request: MessagesRequest; readonly key: string }

const KEY = /case-\w+\./

/** Answers each conversation's requests by its own list; the conversations are told apart by what the person said last. */
export class Script {
  readonly #replies = new Map<string, Reply[]>()
  readonly #asked: Asked[] = []

  get options(): MessagesApiOptions {
    return { key: CANARY.key, headers: { 'x-canary': CANARY.header }, script: (request) => this.#reply(request) }
  }

  get count(): number {
    return this.#asked.length
  }

  /** What answers the requests of conversation `key`, in order. */
  set(key: string, replies: readonly Reply[]): void {
    this.#replies.set(key, [...replies])
  }

  /** The requests of conversation `key`, oldest first. */
  requests(key: string): readonly MessagesRequest[] {
    return this.#asked.filter((one) => one.key === key).map(({ request }) => request)
  }

  #reply(request: MessagesRequest): Reply {
    const key = KEY.exec(JSON.stringify(request.body.messages))?.[0] ?? ''
    this.#asked.push({ request, key })
    // More than its list: the count of requests shows it.
    return this.#replies.get(key)?.shift() ?? { reply: 'refuse' }
  }
}
