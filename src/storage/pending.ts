import type { ParleyError } from '../protocol/errors.ts'
import { type EncodedWrite, mergeWrites } from './encode.ts'
import { storeAway } from './faults.ts'

/** A write that waits for the store, with whoever waits for it. Settles once. */
export class Pending {
  readonly sessionId: string
  /** May be given up, and counts against the bound of the queue. */
  readonly bounded: boolean
  readonly done: Promise<void>
  #encoded: EncodedWrite
  #settled = false
  #resolve: () => void = () => {}
  #reject: (error: ParleyError) => void = () => {}
  #timer: NodeJS.Timeout | undefined

  constructor(encoded: EncodedWrite, giveUpAfterMs: number | 'never') {
    this.sessionId = encoded.sessionId
    this.#encoded = encoded
    this.bounded = giveUpAfterMs !== 'never'
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (giveUpAfterMs !== 'never') {
      this.#timer = setTimeout(() => this.fail(storeAway()), giveUpAfterMs)
    }
  }

  get encoded(): EncodedWrite {
    return this.#encoded
  }

  get settled(): boolean {
    return this.#settled
  }

  /** Takes in a later write of the same session; both settle together. */
  absorb(later: EncodedWrite): void {
    this.#encoded = mergeWrites(this.#encoded, later)
  }

  succeed(): void {
    if (this.#settle()) this.#resolve()
  }

  fail(error: ParleyError): void {
    if (this.#settle()) this.#reject(error)
  }

  #settle(): boolean {
    if (this.#settled) return false
    this.#settled = true
    clearTimeout(this.#timer)
    return true
  }
}
