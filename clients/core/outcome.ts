/** How a command went. `code` and `message` are of the error table; the message is fit to show. */
export type Outcome = { readonly ok: true } | Failure

export type Failure = {
  readonly ok: false
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  /** Milliseconds after which it may pass. */
  readonly retryAfterMs?: number
}

export const DONE: Outcome = { ok: true }
