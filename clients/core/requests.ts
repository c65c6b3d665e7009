import type { Ack, ErrorFrame } from '../../src/protocol/frames.ts'
import type { Failure } from './outcome.ts'

export type Reply = { readonly ok: true; readonly ack: Ack } | Failure

const CUT_OFF: Failure = {
  ok: false,
  code: 'connection_lost',
  message: 'The connection was lost before the server answered',
  retryable: true,
}

export const NOT_CONNECTED: Failure = {
  ok: false,
  code: 'not_connected',
  message: 'There is no connection to the server right now',
  retryable: true,
}

/** The command got no answer because of the connection, not because of what it asked. */
export function isCut({ code }: Failure): boolean {
  return code === CUT_OFF.code || code === NOT_CONNECTED.code
}

/** Commands whose answer somebody waits for, by the id they carry. One connection's: a cut answers them all. */
export class Requests {
  readonly #waiting = new Map<string, (reply: Reply) => void>()
  #count = 0

  /** A command id that no other request of this client has, and the promise of its answer. */
  open(): { readonly ref: string; readonly reply: Promise<Reply> } {
    const ref = `c${++this.#count}`
    const reply = new Promise<Reply>((resolve) => this.#waiting.set(ref, resolve))
    return { ref, reply }
  }

  /** Nobody will answer: the command could not be sent. */
  withdraw(ref: string, failure: Failure): Failure {
    this.#waiting.delete(ref)
    return failure
  }

  acknowledge(ack: Ack): void {
    this.#answer(ack.ref, { ok: true, ack })
  }

  refuse({ ref, code, message, retryable, retryAfterMs }: ErrorFrame): void {
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs }
    this.#answer(ref, { ok: false, code, message, retryable, ...wait })
  }

  cutOff(): void {
    for (const ref of this.#waiting.keys()) this.#answer(ref, CUT_OFF)
  }

  #answer(ref: string | undefined, reply: Reply): void {
    if (ref === undefined) return
    this.#waiting.get(ref)?.(reply)
    this.#waiting.delete(ref)
  }
}
