import { sessionTag } from '../ports/telemetry.ts'

/**
 * What a log line may hold (I11): no key, no address with a password, no whole session id, no text that people or models
 * wrote. Callers keep to that; this is the net below them.
 */

/** Characters of a string field: more is text, not a name. */
const MAX_FIELD = 200
/** Causes of causes: deeper chains repeat themselves. */
const MAX_CAUSES = 4
/** Lines of a stack: the rest is the event loop's. */
const MAX_FRAMES = 12

const SECRET_NAME =
  /^(?:.*(?:password|secret|authorization|cookie|ticket|token|api_?key)|key|text|content|body|prompt)$/i
const RESERVED = new Set(['level', 'time', 'msg', 'cause'])
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi
const KEY = /\b(?:sk|pk)[_-][A-Za-z0-9_-]{6,}/g
const BEARER = /\b(?:bearer|basic)\s+\S+/gi
const KEY_PROTOCOL = /parley\.(?:key|ticket)\.\S+/g
const URL_PASSWORD = /\/\/[^\s/@]+@/g

type Value = string | number | boolean | undefined

/** A copy of `fields` that is fit for a log line. */
export function scrubFields(fields: Readonly<Record<string, Value>>): Record<string, Value> {
  const clean: Record<string, Value> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (RESERVED.has(name)) continue
    clean[name] = typeof value !== 'string' ? value : SECRET_NAME.test(name) ? '[redacted]' : scrubText(value)
  }
  return clean
}

/** `text` with what looks like a credential masked and session ids shortened. */
export function scrubText(text: string): string {
  return text
    .slice(0, MAX_FIELD)
    .replace(KEY_PROTOCOL, '[redacted]')
    .replace(KEY, '[redacted]')
    .replace(BEARER, '[redacted]')
    .replace(URL_PASSWORD, '//[redacted]@')
    .replace(UUID, sessionTag)
}

/** What operators see of a throw. A message may quote SQL, a provider's body or a person's words: it is never kept. */
export type LoggedCause = {
  readonly type: string
  readonly code?: string
  readonly status?: number
  /** The failing side's own word: an API's type of error, a kind of fault. */
  readonly kind?: string
  /** Under which a provider finds the request. */
  readonly requestId?: string
  readonly stack?: readonly string[]
  readonly cause?: LoggedCause
}

const WORD = /^[A-Za-z][A-Za-z0-9_.]{0,63}$/
const CODE = /^[A-Za-z0-9_]{1,64}$/
const KIND = /^[a-z][a-z_]{0,39}$/
const REQUEST_ID = /^req_[A-Za-z0-9_]{1,60}$/
/** A frame of V8: a place in a file, optionally after the name of a function. */
const FRAME = /^\s+at (?:async )?(?:[\w$.<>[\] ]{1,120} \()?(?:file:\/\/|node:|\/)[^\s()]{1,300}:\d+:\d+\)?$/

export function describeCause(thrown: unknown, depth = MAX_CAUSES): LoggedCause {
  if (!(thrown instanceof Error)) return { type: typeof thrown }
  const status = readOwn(thrown, 'status')
  const stack = framesOf(thrown)
  return {
    type: typeNameOf(thrown),
    ...readWord(thrown, 'code', CODE),
    ...(typeof status === 'number' ? { status } : {}),
    ...readWord(thrown, 'kind', KIND),
    ...readWord(thrown, 'requestId', REQUEST_ID),
    ...(stack.length > 0 ? { stack } : {}),
    ...(depth > 1 && thrown.cause !== undefined ? { cause: describeCause(thrown.cause, depth - 1) } : {}),
  }
}

/** The property of this name when it has the form that it should: what else stands there may be anyone's words. */
function readWord(thrown: Error, name: string, form: RegExp): Record<string, string> {
  const value = readOwn(thrown, name)
  return typeof value === 'string' && form.test(value) ? { [name]: value } : {}
}

function readOwn(thrown: Error, name: string): unknown {
  return Reflect.get(thrown, name)
}

/** The class, not `name`: that is a plain string which may hold anything. */
function typeNameOf(thrown: Error): string {
  const { name } = thrown.constructor
  return WORD.test(name) ? name : 'Error'
}

/** The message stands in front of the frames and may itself hold lines that look like one: it is cut off first. */
function framesOf(thrown: Error): string[] {
  const stack = typeof thrown.stack === 'string' ? thrown.stack : ''
  const at = thrown.message === '' ? -1 : stack.indexOf(thrown.message)
  const frames = at === -1 ? stack : stack.slice(at + thrown.message.length)
  return frames
    .split('\n')
    .filter((line) => FRAME.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim())
}
