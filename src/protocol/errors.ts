/**
 * Every failure that a client can see is a row of this table: HTTP status, WebSocket close code where the failure ends a
 * connection, whether the same request may succeed later, and the sentence shown. Close codes are 4000 + HTTP status except
 * the registered 1012 and 1013. The rule for clients: 44xx is final except 4408 and 4429; all else retries with backoff.
 */
type ErrorRow = {
  readonly status: number
  readonly close?: number
  readonly retryable: boolean
  readonly message: string
}

export const ERRORS = {
  bad_request: { status: 400, close: 4400, retryable: false, message: 'The request is not well formed' },
  bad_frame: { status: 400, close: 4400, retryable: false, message: 'The frame is not a command of this protocol' },
  invalid_value: { status: 400, retryable: false, message: 'A value is not allowed' },
  unauthorized: { status: 401, close: 4401, retryable: false, message: 'Invalid or missing API key' },
  ticket_used: { status: 401, close: 4401, retryable: false, message: 'This ticket was used before' },
  ticket_expired: { status: 401, close: 4401, retryable: false, message: 'This ticket has expired' },
  forbidden: { status: 403, close: 4403, retryable: false, message: 'Insufficient permissions for this operation' },
  origin_not_allowed: { status: 403, close: 4403, retryable: false, message: 'This origin may not use this key' },
  insecure_connection: { status: 403, close: 4403, retryable: false, message: 'HTTPS required for API requests' },
  app_not_found: { status: 404, close: 4404, retryable: false, message: 'No such App' },
  session_not_found: { status: 404, close: 4404, retryable: false, message: 'No such session' },
  not_found: { status: 404, retryable: false, message: 'No such thing in this session' },
  no_sign_of_life: { status: 408, close: 4408, retryable: true, message: 'Nothing was heard from the client' },
  handshake_timeout: { status: 408, close: 4408, retryable: true, message: 'The handshake took too long' },
  too_many_connections: { status: 409, close: 4409, retryable: false, message: 'The session has too many connections' },
  run_active: { status: 409, retryable: true, message: 'A run is active; wait, stop it or enqueue' },
  conflict: { status: 409, retryable: false, message: 'This id was used before with another content' },
  frame_too_large: { status: 413, close: 4413, retryable: false, message: 'The frame is too large' },
  message_too_large: { status: 413, retryable: false, message: 'The message is too long' },
  rate_limit_exceeded: {
    status: 429,
    close: 4429,
    retryable: true,
    message: 'Rate limit exceeded. Please try again later.',
  },
  queue_full: { status: 429, retryable: true, message: 'Too many messages are waiting in this session' },
  internal_error: { status: 500, close: 4500, retryable: true, message: 'Something went wrong on the server' },
  provider_error: { status: 502, retryable: true, message: 'The model could not answer' },
  provider_misconfigured: { status: 502, retryable: false, message: 'The server is not set up for this model' },
  slow_consumer: { status: 503, close: 4503, retryable: true, message: 'The client reads too slowly' },
  store_unavailable: { status: 503, close: 4503, retryable: true, message: 'The server cannot save right now' },
  provider_overloaded: { status: 503, retryable: true, message: 'The model is overloaded; try again' },
  provider_stalled: { status: 504, retryable: true, message: 'The model stopped answering' },
  model_refusal: { status: 422, retryable: false, message: 'The model declined to answer' },
  context_too_long: { status: 413, retryable: false, message: 'The conversation is too long for the model' },
  run_limit: { status: 429, retryable: true, message: 'The run took too many steps or too long' },
  draining: { status: 503, close: 1012, retryable: true, message: 'The server is restarting' },
  overloaded: { status: 503, close: 1013, retryable: true, message: 'The server is overloaded' },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}

/** What may be told beside the row. `message` replaces the row's sentence and must be safe to show; `cause` never leaves the process. */
export type ErrorDetails = {
  readonly message?: string
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** A failure with its row. Anything else that is thrown is a bug and becomes `internal_error` at the edge. */
export class ParleyError extends Error {
  override readonly name = 'ParleyError'
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(details.message ?? ERRORS[code].message, { cause: details.cause })
    this.code = code
    this.retryAfterMs = details.retryAfterMs
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  /** The close code when this failure ends a connection; 4500 for rows that were not made to. */
  get closeCode(): number {
    const row: ErrorRow = ERRORS[this.code]
    return row.close ?? ERRORS.internal_error.close
  }
}

/** The one place where an unknown throw becomes a row; the cause is kept for the log. */
export function toParleyError(thrown: unknown): ParleyError {
  return thrown instanceof ParleyError ? thrown : new ParleyError('internal_error', { cause: thrown })
}

/** The body of an HTTP refusal: `{"error": {"code", "message", "retry_after"?}}`, retry_after in seconds. */
export type ErrorBody = {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly retry_after?: number }
}

const MS_PER_SECOND = 1000

export function toErrorBody(error: ParleyError): ErrorBody {
  const retry = error.retryAfterMs === undefined ? {} : { retry_after: Math.ceil(error.retryAfterMs / MS_PER_SECOND) }
  return { error: { code: error.code, message: error.message, ...retry } }
}

const FINAL_CLOSE_MIN = 4400
const FINAL_CLOSE_MAX = 4499

/** The client's rule: may a connection closed with `code` be tried again? */
export function isRetryableClose(code: number): boolean {
  if (code === ERRORS.no_sign_of_life.close || code === ERRORS.rate_limit_exceeded.close) return true
  return code < FINAL_CLOSE_MIN || code > FINAL_CLOSE_MAX
}
