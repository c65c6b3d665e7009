import type { Credential } from '../../src/protocol/handshake.ts'

export type CredentialOption = Credential | (() => Promise<Credential | undefined>)

/** A source of credentials throws it where only the person can go on, by signing in: it is not asked again until they want it. */
export class SignedOutError extends Error {}

/** Refusals that a new ticket cures: one may be old when it is shown, as on a page that was kept. */
const STALE = new Set(['ticket_used', 'ticket_expired'])
/** What RFC 9110 calls a token: a browser takes nothing else as a subprotocol. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

export function fitsSubprotocol(credential: Credential): boolean {
  return TOKEN.test(credential.kind === 'key' ? credential.key : credential.ticket)
}

/** What the next handshake shows: the server's token for coming back, else what the page was given or its source gives. */
export class CredentialSource {
  readonly #option: CredentialOption | undefined
  #token: string | undefined
  /** The source was asked since the server last accepted. */
  #asked = false
  /** It was asked once more because of a refusal: a third time would only repeat that. */
  #askedAgain = false

  constructor(option: CredentialOption | undefined) {
    this.#option = option
  }

  async get(): Promise<Credential | undefined> {
    if (this.#token !== undefined) return { kind: 'ticket', ticket: this.#token }
    if (typeof this.#option !== 'function') return this.#option
    this.#asked = true
    return await this.#option()
  }

  accepted(reconnectToken: string | undefined): void {
    this.#token = reconnectToken
    this.#asked = this.#askedAgain = false
  }

  /** True when another try with another credential makes sense. */
  refused(code: string): boolean {
    if (typeof this.#option !== 'function' || this.#askedAgain) return false
    // What is wrong with a token for coming back need not be wrong with a ticket; a ticket that is no good is no accident.
    if (!STALE.has(code) && (code !== 'unauthorized' || this.#asked)) return false
    this.#token = undefined
    this.#askedAgain = true
    return true
  }
}
