import type { APIError } from 'openai'
import type { ErrorCode } from '../protocol/errors.ts'
import { codeOfStatus, type Fault, isServerError, toFault } from './upstream-errors.ts'

/**
 * By the words of OpenAI, Azure, vLLM and llama.cpp: what stands in `code`, else in `type`. What is missing here goes by
 * status. A spent budget comes as 429, but no waiting helps: its operator has to raise it.
 */
const BY_WORD: ReadonlyMap<unknown, ErrorCode> = new Map([
  ['insufficient_quota', 'provider_misconfigured'],
  ['billing_not_active', 'provider_misconfigured'],
  ['billing_hard_limit_reached', 'provider_misconfigured'],
  ['invalid_api_key', 'provider_misconfigured'],
  ['authentication_error', 'provider_misconfigured'],
  ['permission_error', 'provider_misconfigured'],
  ['model_not_found', 'provider_misconfigured'],
  ['not_found_error', 'provider_misconfigured'],
  ['context_length_exceeded', 'context_too_long'],
  ['exceed_context_size_error', 'context_too_long'],
  ['content_filter', 'model_refusal'],
  ['rate_limit_exceeded', 'provider_overloaded'],
  ['rate_limit_error', 'provider_overloaded'],
  ['overloaded_error', 'provider_overloaded'],
  ['unavailable_error', 'provider_overloaded'],
])

/** Faults of the API itself, which errors inside a stream say without a status. */
const FAILING: ReadonlySet<unknown> = new Set(['server_error', 'api_error', 'internal_error', 'InternalServerError'])

/** vLLM and others have no code for an input beyond the model's window. Beside `Dialects` the one place where the words of a message are read. */
const TOO_LONG = /maximum context length|exceeds? the (?:available|maximum) context/i

const BAD_REQUEST = 400

/** `error.status` is undefined for an error that came inside a stream; some servers write one in its place as `code`. */
export function readOpenAiError(error: APIError, now: number): Fault {
  const word: unknown = error.code
  const status = error.status ?? word
  const reading = {
    api: 'The Chat Completions API',
    code: toCode(error, word, status),
    failing: isServerError(status) || FAILING.has(error.type) || FAILING.has(word),
    kind: error.type,
    word,
  }
  return toFault(error, reading, now)
}

function toCode(error: APIError, word: unknown, status: unknown): ErrorCode {
  const known = BY_WORD.get(word) ?? BY_WORD.get(error.type)
  if (known !== undefined) return known
  if ((error.status ?? BAD_REQUEST) === BAD_REQUEST && TOO_LONG.test(messageOf(error.error))) return 'context_too_long'
  return codeOfStatus(status)
}

/** Of the body's error, which is an object or, from some servers, the message itself. */
function messageOf(error: unknown): string {
  if (typeof error === 'string') return error
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : ''
  return typeof message === 'string' ? message : ''
}
