import type { PendingSend } from '../core/conversation.ts'
import { formatSends, type KeptSends, parseSends } from '../core/kept-sends.ts'
import type { TextStorage } from './storage.ts'

/** What a browser keeps of one conversation until the server has it: the draft, and sends that are not acknowledged. */
export class SessionNotes implements KeptSends {
  readonly #storage: TextStorage
  readonly #draftName: string
  readonly #sendsName: string

  constructor(storage: TextStorage, sessionId: string) {
    this.#storage = storage
    this.#draftName = `parley.draft.${sessionId}`
    this.#sendsName = `parley.sends.${sessionId}`
  }

  get draft(): string {
    return this.#storage.get(this.#draftName) ?? ''
  }

  set draft(text: string) {
    this.#storage.set(this.#draftName, text === '' ? undefined : text)
  }

  load(): readonly PendingSend[] {
    return parseSends(this.#storage.get(this.#sendsName))
  }

  save(sends: readonly PendingSend[]): void {
    this.#storage.set(this.#sendsName, formatSends(sends))
  }

  /** The conversation is gone. */
  forget(): void {
    this.draft = ''
    this.save([])
  }
}
