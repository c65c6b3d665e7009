import { check } from '../../protocol/check.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { AppIdSchema, DEFAULT_APP, SessionIdSchema } from '../../protocol/ids.ts'
import { MAX_NAME_LENGTH } from '../../protocol/limits.ts'
import type { HttpContext } from '../responses.ts'

/** Each generation of the clients calls them otherwise. */
const SESSION_HEADERS = ['x-session-id', 'x-thread-id']
const SESSION_QUERIES = ['session_id', 'thread_id']
const APP_QUERIES = ['app', 'namespace', 'chatbot']
const KEY_HEADERS = ['aomi-app-key', 'x-api-key', 'authorization']

/** The session that the request names: by header, or where `byQuery` says so by query. Throws `bad_request`. */
export function sessionIdOf(c: HttpContext, byQuery = false): string {
  const id = namedSessionId(c, byQuery)
  if (id === undefined) throw new ParleyError('bad_request', { message: 'X-Session-Id is missing' })
  return id
}

/** The same; undefined where the request names none. What it names in several places must be one. */
export function namedSessionId(c: HttpContext, byQuery = false): string | undefined {
  const named = [
    c.req.param('id'),
    ...SESSION_HEADERS.map((name) => c.req.header(name)),
    ...(byQuery ? SESSION_QUERIES.map((name) => c.req.query(name)) : []),
  ]
  const [first, ...others] = named
    .filter((id) => id !== undefined)
    .map((id) => check(SessionIdSchema, id, 'X-Session-Id'))
  if (others.some((id) => id !== first))
    throw new ParleyError('bad_request', { message: 'X-Session-Id: given twice and different' })
  return first
}

export function namedApp(c: HttpContext): string | undefined {
  const named = firstQuery(c, APP_QUERIES)
  return named === undefined ? undefined : check(AppIdSchema, named, 'app')
}

export function appOf(c: HttpContext): string {
  return namedApp(c) ?? DEFAULT_APP
}

/** The wallet's address, which these clients call so. */
export function publicKeyOf(c: HttpContext): string | undefined {
  const key = c.req.query('public_key')
  return key === '' ? undefined : key
}

export function showsKey(c: HttpContext): boolean {
  return KEY_HEADERS.some((name) => (c.req.header(name)?.trim() ?? '') !== '')
}

/** Which of the clients of a session it is; those that do not say share one name. */
export function clientIdOf(c: HttpContext): string {
  return (c.req.query('client_id') ?? '').slice(0, MAX_NAME_LENGTH)
}

function firstQuery(c: HttpContext, names: readonly string[]): string | undefined {
  return names.map((name) => c.req.query(name)).find((value) => value !== undefined && value !== '')
}
