import type { APIError } from '@anthropic-ai/sdk'
import { type ErrorCode, ParleyError } from '../protocol/errors.ts'

const MS_PER_SECOND = 1000
/** Milliseconds. Above an hour a date or number is a mistake, or a limit that no client should wait for. */
const MAX_RETRY_AFTER_MS = 60 * 60 * MS_PER_SECOND
/** Milliseconds to tell clients where an overloaded API does not say: about what its own limits need to refill. */
const DEFAULT_RETRY_AFTER_MS = 5 * MS_PER_SECOND

/** By the API's own word, which errors inside a stream carry, too. What is missing here goes by status. */
const BY_TYPE: ReadonlyMap<unknown, ErrorCode> = new Map([
  ['authentication_error', 'provider_misconfigured'],
  ['permission_error', 'provider_misconfigured'],
  ['billing_error', 'provider_misconfigured'],
  ['not_found_error', 'provider_misconfigured'],
  ['request_too_large', 'context_too_long'],
  ['rate_limit_error', 'provider_overloaded'],
  ['overloaded_error', 'provider_overloaded'],
])

const BY_STATUS: ReadonlyMap<number | undefined, ErrorCode> = new Map([
  [401, 'provider_misconfigured'],
  [402, 'provider_misconfigured'],
  [403, 'provider_misconfigured'],
  [404, 'provider_misconfigured'],
  [413, 'context_too_long'],
  [429, 'provider_overloaded'],
  [503, 'provider_overloaded'],
  [529, 'provider_overloaded'],
])

/** A spent budget comes as 429, but no waiting helps: its operator has to raise it. */
const SPENT: ReadonlySet<string> = new Set(['contract_spend_limit_reached', 'enforced_spend_limit_reached'])

/**
 * The only sign of an input beyond the model's window: a 400 like any other, without a code of its own. The one place
 * where the words of a message are read.
 */
const TOO_LONG = /^(?:prompt is too long|input length and `max_tokens` exceed context limit)/

/** Codes and ids as the API writes them; anything else that stands in their place is not repeated. */
const WORD = /^[\w-]{1,64}$/

const RETRIED_STATUS: ReadonlySet<number> = new Set([408, 409, 429])
const FIRST_SERVER_ERROR = 500

/** An answer of the API that is an error, as what we tell and whether asking again may help. */
export type Fault = { readonly error: ParleyError; readonly retry: boolean }

/** `error.status` is undefined for an error that came inside a stream. The body goes no further than here (I11). */
export function toFault(error: APIError, now: number): Fault {
  const code = toCode(error)
  const cause = new AnthropicFault(error)
  const retryAfterMs =
    code === 'provider_overloaded' ? (readRetryAfter(error, now) ?? DEFAULT_RETRY_AFTER_MS) : undefined
  return {
    error: new ParleyError(code, { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) }),
    retry: mayRetry(error, code),
  }
}

function toCode({ type, status, errorCode, apiMessage }: APIError): ErrorCode {
  if (errorCode !== null && SPENT.has(errorCode)) return 'provider_misconfigured'
  if (type === 'invalid_request_error' && TOO_LONG.test(apiMessage ?? '')) return 'context_too_long'
  return BY_TYPE.get(type) ?? BY_STATUS.get(status) ?? 'provider_error'
}

function mayRetry({ status, headers }: APIError, code: ErrorCode): boolean {
  const told = headers?.get('x-should-retry')
  if (told === 'true' || told === 'false') return told === 'true'
  if (status === undefined || code === 'provider_misconfigured') return false
  return RETRIED_STATUS.has(status) || status >= FIRST_SERVER_ERROR
}

/** Milliseconds that the API asks us to wait, from its two forms of the header. */
function readRetryAfter({ headers }: APIError, now: number): number | undefined {
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
class AnthropicFault extends Error {
  override readonly name = 'AnthropicFault'
  readonly status: number | undefined
  readonly kind: string | undefined
  readonly code: string | undefined
  readonly requestId: string | undefined

  constructor({ status, type, errorCode, requestID }: APIError) {
    const [kind, code, requestId] = [asWord(type), asWord(errorCode), asWord(requestID)]
    const words = [kind, code, requestId].filter((word) => word !== undefined)
    super(`Anthropic answered with an error: ${[status ?? 'in the stream', ...words].join(', ')}`)
    this.status = status
    this.kind = kind
    this.code = code
    this.requestId = requestId
  }
}

function asWord(text: string | null | undefined): string | undefined {
  return text && WORD.test(text) ? text : undefined
}
