import { createHash, randomUUID } from 'node:crypto'
import type { ModelMessage } from '../ports/provider.ts'

/** What OpenAI takes as the id of a call; nor do others take all signs, such as the dots of `functions.clock:0`. */
const VALID = /^[\w-]{1,40}$/
const HEX_LENGTH = 32

/** The id of a call that another provider made may be none for this API; the same one always becomes the same. */
export function toCallId(id: string): string {
  if (VALID.test(id)) return id
  return `call_${createHash('sha256').update(id).digest('hex').slice(0, HEX_LENGTH)}`
}

/** The ids of one answer's calls. Servers have their own ideas of them, the session wants them unique. */
export class CallIds {
  readonly #taken: Set<string>
  readonly #minLength: number

  /** @param minLength shorter ones are not believed to be unique in a session */
  constructor(history: readonly ModelMessage[], minLength = 1) {
    this.#minLength = minLength
    const calls = history.flatMap((message) => (message.role === 'assistant' ? message.toolCalls : []))
    this.#taken = new Set(calls.map(({ id }) => id))
  }

  /** The server's own id where it will do, else a new one. */
  take(given: string): string {
    const own = given.length >= this.#minLength && VALID.test(given) && !this.#taken.has(given)
    const id = own ? given : `call_${randomUUID().replaceAll('-', '')}`
    this.#taken.add(id)
    return id
  }
}
