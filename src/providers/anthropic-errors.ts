import type { APIError } from '@anthropic-ai/sdk'
import type { ErrorCode } from '../protocol/errors.ts'
import { type Fault, toFault } from './upstream-errors.ts'

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

/** Faults of the API itself, which errors inside a stream say without a status. */
const FAILING: ReadonlySet<unknown> = new Set(['api_error', 'timeout_error'])

/** A spent budget comes as 429, but no waiting helps: its operator has to raise it. */
const SPENT: ReadonlySet<string> = new Set(['contract_spend_limit_reached', 'enforced_spend_limit_reached'])

/**
 * The only sign of an input beyond the model's window: a 400 like any other, without a code of its own. The one place
 * where the words of a message are read.
 */
const TOO_LONG = /^(?:prompt is too long|input length and `max_tokens` exceed context limit)/

/** `error.status` is undefined for an error that came inside a stream. */
export function readAnthropicError(error: APIError, now: number): Fault {
  const { type, errorCode } = error
  const reading = { api: 'Anthropic', code: toCode(error), failing: FAILING.has(type), kind: type, word: errorCode }
  return toFault(error, reading, now)
}

function toCode({ type, errorCode, apiMessage }: APIError): ErrorCode | undefined {
  if (errorCode !== null && SPENT.has(errorCode)) return 'provider_misconfigured'
  if (type === 'invalid_request_error' && TOO_LONG.test(apiMessage ?? '')) return 'context_too_long'
  return BY_TYPE.get(type)
}
