import { type AccessRequest, needsRandomId } from '../../ports/access.ts'
import { ownerOf } from '../../ports/sessions.ts'
import type { HandshakeRequest, HandshakeVerdict, Socket, SocketHandler } from '../../ports/transport.ts'
import { type AliasQuery, encodeAliasError, readAliasQuery } from '../../protocol/aliases.ts'
import { check } from '../../protocol/check.ts'
import { encodeControl } from '../../protocol/codec.ts'
import { ParleyError, toErrorBody, toParleyError } from '../../protocol/errors.ts'
import { type OfferedProtocols, readProtocols } from '../../protocol/handshake.ts'
import {
  AppIdSchema,
  type Cursor,
  DEFAULT_APP,
  isRandomSessionId,
  parseCursor,
  SessionIdSchema,
} from '../../protocol/ids.ts'
import { PROTOCOL_VERSION } from '../../protocol/version.ts'
import { AliasConnection } from '../alias/alias-connection.ts'
import { Connection } from './connection.ts'
import { errorFrame } from './error-frame.ts'
import type { Hub } from './hub.ts'
import { leavePlace, takePlace } from './take-place.ts'

/** Names under which people would put a long-lived secret into a URL, where logs and histories keep it. */
const SECRET_PARAMETERS = ['key', 'api_key', 'apikey', 'token', 'access_token']
/** A query that names an App at most, as those of most clients: nothing of it has to be parsed. */
const PLAIN_QUERY = /^(?:app=([a-z0-9-]*))?$/
const NO_PARAMETERS = new URLSearchParams()
/** A cursor that cannot be read is one that nothing can be served from: a snapshot replaces what the client has. */
const UNREADABLE: Cursor = { epoch: '', seq: 0 }
const MS_PER_SECOND = 1000
/** When a client of the alias may look again for a run that another process has on. */
const BUSY_ELSEWHERE_RETRY_MS = 1000

type Form = {
  readonly app: string
  readonly sessionId: string
  readonly cursor: Cursor | undefined
  readonly alias: AliasQuery | undefined
  readonly access: AccessRequest
}

/** Turns one handshake into a connection or a refusal; in the order of the protocol (P-20): form, credential, App, scope, session, limits. */
export async function handshake(hub: Hub, request: HandshakeRequest): Promise<HandshakeVerdict> {
  const offered = readProtocols(request.header('sec-websocket-protocol'))
  try {
    const handler = await arrive(hub, readForm(request, offered))
    return offered.speaksParley ? { accept: true, handler, protocol: PROTOCOL_VERSION } : { accept: true, handler }
  } catch (thrown) {
    return refuse(hub, toParleyError(thrown), request, offered)
  }
}

async function arrive(hub: Hub, form: Form): Promise<SocketHandler> {
  hub.beginArrival()
  try {
    return await open(hub, form)
  } finally {
    hub.endArrival()
  }
}

async function open(hub: Hub, form: Form): Promise<SocketHandler> {
  const { core } = hub
  if (core.draining()) throw new ParleyError('draining', { retryAfterMs: core.settings.reconnectMs })
  const principal = await core.access.identify(form.access, form.app)
  core.access.require(principal, 'read')
  if (needsRandomId(principal) && !isRandomSessionId(form.sessionId)) {
    throw new ParleyError('bad_request', { message: 'session: must be a random UUID (version 4 or 7)' })
  }
  const app = core.apps.peek(form.app) ?? (await core.apps.get(form.app))
  if (app === undefined) throw new ParleyError('app_not_found')
  const from = core.access.addressOf(form.access)
  // Looked at here so that a flood is refused before it costs a socket; taken when the socket opens, as a peer may leave until then.
  const guest = { from, principal, app }
  takePlace(core, guest)
  leavePlace(core, guest)
  const reconnectToken = principal.kind === 'ticket' ? await core.access.reconnectToken(principal) : undefined
  const session = await hub.sessions.open(form.sessionId, ownerOf(principal, form.app))
  // That wire is a run's events, and those of a run of another process come from there only.
  if (form.alias !== undefined && session.activity.kind === 'elsewhere')
    throw new ParleyError('overloaded', { retryAfterMs: BUSY_ELSEWHERE_RETRY_MS })
  const caller = { session, app, principal, from, cursor: form.cursor, reconnectToken }
  return form.alias === undefined ? new Connection(hub, caller) : new AliasConnection(hub, caller, form.alias)
}

function readForm(request: HandshakeRequest, offered: OfferedProtocols): Form {
  const plain = PLAIN_QUERY.exec(request.query)
  const query = plain === null ? new URLSearchParams(request.query) : NO_PARAMETERS
  for (const name of SECRET_PARAMETERS)
    if (query.has(name)) throw new ParleyError('bad_request', { message: `${name}: a key does not belong into a URL` })
  const header = request.header('x-session-id')
  const ids = [...(header === undefined ? [] : [header]), ...offered.sessionIds, ...query.getAll('session')]
  const [sessionId, ...others] = ids.map((id) => check(SessionIdSchema, id, 'session'))
  if (sessionId === undefined) throw new ParleyError('bad_request', { message: 'session: a session id is missing' })
  if (others.some((id) => id !== sessionId))
    throw new ParleyError('bad_request', { message: 'session: given twice and different' })
  const cursor = query.get('cursor')
  const ticket = offered.credential?.kind === 'ticket' ? offered.credential.ticket : (query.get('ticket') ?? undefined)
  return {
    app: check(AppIdSchema, plain?.[1] ?? query.get('app') ?? DEFAULT_APP, 'app'),
    sessionId,
    alias: readAliasQuery(query),
    cursor: cursor === null ? undefined : (parseCursor(cursor) ?? UNREADABLE),
    access: {
      header: request.header,
      address: request.address,
      secure: request.secure,
      session: sessionId,
      ...(offered.credential?.kind === 'key' ? { key: offered.credential.key } : {}),
      ...(ticket === undefined ? {} : { ticket }),
    },
  }
}

/** HTTP, or for a client that speaks our protocol an error frame and a close code: a browser can read nothing else. */
function refuse(hub: Hub, error: ParleyError, request: HandshakeRequest, offered: OfferedProtocols): HandshakeVerdict {
  const { telemetry } = hub.core
  telemetry.count('handshakes_refused_total', 1, error.code)
  if (error.code === 'internal_error') telemetry.log('error', 'handshake failed', {}, error.cause)
  // A socket costs more than an answer: what is over a limit gets the answer only (P-22).
  const overLimit = error.code === 'rate_limit_exceeded' || error.code === 'overloaded'
  if (offered.speaksParley && !overLimit)
    return { accept: true, protocol: PROTOCOL_VERSION, handler: new RefusedPeer(error, verdictFrame(error, request)) }
  const retry: Record<string, string> =
    error.retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(error.retryAfterMs / MS_PER_SECOND)) }
  return {
    accept: false,
    refusal: {
      status: error.status,
      headers: { 'content-type': 'application/json', ...retry },
      body: JSON.stringify(toErrorBody(error)),
    },
  }
}

/** On the wire that the client speaks: on the alias's an error ends the run, so what may pass later is only a close (P-107). */
function verdictFrame(error: ParleyError, { query }: HandshakeRequest): string | undefined {
  const runId = new URLSearchParams(query).get('runId')
  if (runId === null) return encodeControl(errorFrame(error, {}))
  return error.retryable ? undefined : encodeAliasError(error.code, runId, error.message)
}

/** Accepted only to be told why not. */
class RefusedPeer implements SocketHandler {
  readonly #error: ParleyError
  readonly #frame: string | undefined

  constructor(error: ParleyError, frame: string | undefined) {
    this.#error = error
    this.#frame = frame
  }

  opened(socket: Socket): void {
    if (this.#frame !== undefined) socket.send(this.#frame)
    socket.close(this.#error.closeCode, this.#error.code)
  }

  received(): void {}
  receivedBinary(): void {}
  alive(): void {}
  drained(): void {}
  closed(): void {}
}
