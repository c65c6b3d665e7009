import type { Credential } from '../../src/protocol/handshake.ts'

export type CredentialOption = Credential | (() => Promise<Credential | undefined>)

/** Refusals that a new ticket may cure. */
const STALE = new Set(['ticket_used', 'ticket_expired', 'unauthorized'])
/** What RFC 9110 calls a token: a browser takes nothing else as a subprotocol. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

export function fitsSubprotocol(credential: Credential): boolean {
  return TOKEN.test(credential.kind === 'key' ? credential.key : credential.ticket)
}

/** What the next handshake shows: the server's token for coming back, else what the page was given or its source gives. */
export class CredentialSource {
  readonly #option: CredentialOption | undefined
  #token: string | undefined
  /** The source was asked since the server last accepted: once more would only repeat the refusal. */
  #asked = false

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
    this.#asked = false
  }

  /** True when another try with another credential makes sense. */
  refused(code: string): boolean {
    if (!STALE.has(code) || typeof this.#option !== 'function' || this.#asked) return false
    this.#token = undefined
    return true
  }
}
