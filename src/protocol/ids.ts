import * as v from 'valibot'

const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const RANDOM_UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const CLIENT_ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/
const APP_ID_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/
const CURSOR_PATTERN = /^([A-Za-z0-9]{1,32})-(\d{1,15})$/

/** The App of whoever names none, and the one that may answer without a key. */
export const DEFAULT_APP = 'default'

/** A session's id: a UUID, lower case. */
export const SessionIdSchema = v.pipe(v.string(), v.toLowerCase(), v.regex(UUID_PATTERN, 'must be a UUID'))
/** An id that a client makes for a message, run or command: 1 to 64 of `[A-Za-z0-9_-]`. */
export const ClientIdSchema = v.pipe(v.string(), v.regex(CLIENT_ID_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 _ -'))
export function isClientId(text: string): boolean {
  return CLIENT_ID_PATTERN.test(text)
}
/** An App's name: 1 to 64 of lower-case letters, digits and inner hyphens. */
export const AppIdSchema = v.pipe(
  v.string(),
  v.regex(APP_ID_PATTERN, 'must be a lower-case name of letters, digits and hyphens'),
)

/** A position in one life of a session's log. */
export type Cursor = { readonly epoch: string; readonly seq: number }

/** True for a version 4 or 7 UUID in lower case: unguessable enough to be a capability. */
export function isRandomSessionId(id: string): boolean {
  return RANDOM_UUID_PATTERN.test(id)
}

/** `<epoch>-<seq>`, as event ids and the handshake carry it. */
export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}-${cursor.seq}`
}

/** Reads `<epoch>-<seq>`; undefined when it is not one. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR_PATTERN.exec(text)
  const [, epoch, seq] = match ?? []
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq: Number(seq) }
}
