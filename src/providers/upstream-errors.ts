import { ProviderUnavailable } from '../ports/provider.ts'
import { type ErrorCode, ParleyError } from '../protocol/errors.ts'

const MS_PER_SECOND = 1000
/** Milliseconds. Above an hour a date or number is a mistake, or a limit that no client should wait for. */
const MAX_RETRY_AFTER_MS = 60 * 60 * MS_PER_SECOND
/** Milliseconds to tell clients where an overloaded API does not say: about what its own limits need to refill. */
const DEFAULT_RETRY_AFTER_MS = 5 * MS_PER_SECOND

const BY_STATUS: ReadonlyMap<unknown, ErrorCode> = new Map([
  [401, 'provider_misconfigured'],
  [402, 'provider_misconfigured'],
  [403, 'provider_misconfigured'],
  [404, 'provider_misconfigured'],
  [413, 'context_too_long'],
  [429, 'provider_overloaded'],
  [503, 'provider_overloaded'],
  [529, 'provider_overloaded'],
])

/** Codes and ids as APIs write them; anything else that stands in their place is not repeated. */
const WORD = /^[\w-]{1,64}$/

const RETRIED_STATUS: ReadonlySet<number> = new Set([408, 409, 429])
const FIRST_SERVER_ERROR = 500

/** An answer of an API that is an error, as what we tell and whether asking again may help. */
export type Fault = { readonly error: ParleyError; readonly retry: boolean }

/** What an SDK has of such an answer. `status` is undefined for an error that came inside a stream. */
type ErrorAnswer = {
  readonly status: number | undefined
  readonly headers: Headers | undefined
  readonly requestID: string | null | undefined
}

/** What one API's own words say of it. */
type Reading = {
  /** The API's name, for operators. */
  readonly api: string
  /** Absent: the status decides. */
  readonly code?: ErrorCode | undefined
  /** The API says that the fault is its own, beside a status that may say so. */
  readonly failing: boolean
  /** The API's words for it, for operators. */
  readonly kind: unknown
  readonly word: unknown
}

/** The code of a status, or of a number that stands for one; `provider_error` for all others. */
export function codeOfStatus(status: unknown): ErrorCode {
  return BY_STATUS.get(status) ?? 'provider_error'
}

export function isServerError(status: unknown): boolean {
  return typeof status === 'number' && status >= FIRST_SERVER_ERROR
}

/** The answer's body goes no further than its reading (I11). */
export function toFault(answer: ErrorAnswer, reading: Reading, now: number): Fault {
  const code = reading.code ?? codeOfStatus(answer.status)
  const cause = new UpstreamFault(answer, reading)
  return { error: toError(code, cause, answer, reading, now), retry: mayRetry(answer, code) }
}

function toError(code: ErrorCode, cause: Error, answer: ErrorAnswer, reading: Reading, now: number): ParleyError {
  if (code === 'provider_overloaded')
    return new ProviderUnavailable(code, { cause, retryAfterMs: readRetryAfter(answer, now) ?? DEFAULT_RETRY_AFTER_MS })
  const failing = reading.failing || isServerError(answer.status)
  return code === 'provider_error' && failing
    ? new ProviderUnavailable(code, { cause })
    : new ParleyError(code, { cause })
}

function mayRetry({ status, headers }: ErrorAnswer, code: ErrorCode): boolean {
  const told = headers?.get('x-should-retry')
  if (told === 'true' || told === 'false') return told === 'true'
  if (status === undefined || code === 'provider_misconfigured') return false
  return RETRIED_STATUS.has(status) || isServerError(status)
}

/** Milliseconds that the API asks us to wait, from the two forms of the header. */
function readRetryAfter({ headers }: ErrorAnswer, now: number): number | undefined {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '')
  const text = headers?.get('retry-after') ?? ''
  const wait = Number.isNaN(ms) ? readSeconds(text, now) : ms
  return wait > 0 ? Math.min(Math.ceil(wait), MAX_RETRY_AFTER_MS) : undefined
}

function readSeconds(text: string, now: number): number {
  const seconds = Number(text)
  return Number.isNaN(seconds) ? Date.parse(text) - now : seconds * MS_PER_SECOND
}

/** What an operator needs to find the request at the provider's, and nothing that it said. Logs print the properties. */
class UpstreamFault extends Error {
  override readonly name = 'UpstreamFault'
  readonly status: number | undefined
  readonly kind: string | undefined
  readonly code: string | undefined
  readonly requestId: string | undefined

  constructor({ status, requestID }: ErrorAnswer, reading: Reading) {
    const [kind, code, requestId] = [asWord(reading.kind), asWord(reading.word), asWord(requestID)]
    const words = [kind, code, requestId].filter((word) => word !== undefined)
    super(`${reading.api} answered with an error: ${[status ?? 'in the stream', ...words].join(', ')}`)
    this.status = status
    this.kind = kind
    this.code = code
    this.requestId = requestId
  }
}

function asWord(text: unknown): string | undefined {
  return typeof text === 'string' && WORD.test(text) ? text : undefined
}
