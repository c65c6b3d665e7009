import { PROTOCOL_VERSION } from './version.ts'

/**
 * A browser cannot set headers on a WebSocket, so the handshake's credential and session id travel as subprotocols.
 * The server selects `parley.v1` and never echoes the others.
 */
const SESSION_PREFIX = 'parley.session.'
const KEY_PREFIX = 'parley.key.'
const TICKET_PREFIX = 'parley.ticket.'

export type Credential =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'ticket'; readonly ticket: string }

export type OfferedProtocols = {
  /** The client offered `parley.v1`: it reads our error frame, so refusals may come after the upgrade. */
  readonly speaksParley: boolean
  readonly sessionId?: string
  readonly credential?: Credential
}

/** The list a client passes to `new WebSocket(url, protocols)`. */
export function offerProtocols(sessionId: string, credential?: Credential): string[] {
  const secret =
    credential === undefined
      ? []
      : [credential.kind === 'key' ? KEY_PREFIX + credential.key : TICKET_PREFIX + credential.ticket]
  return [PROTOCOL_VERSION, SESSION_PREFIX + sessionId, ...secret]
}

/** Reads a `Sec-WebSocket-Protocol` header (comma separated); unknown entries are ignored. */
export function readProtocols(header: string | undefined): OfferedProtocols {
  const offered = (header ?? '').split(',').map((entry) => entry.trim())
  const after = (prefix: string) => offered.find((entry) => entry.startsWith(prefix))?.slice(prefix.length)
  const [sessionId, key, ticket] = [after(SESSION_PREFIX), after(KEY_PREFIX), after(TICKET_PREFIX)]
  return {
    speaksParley: offered.includes(PROTOCOL_VERSION),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(key !== undefined
      ? { credential: { kind: 'key', key } }
      : ticket !== undefined
        ? { credential: { kind: 'ticket', ticket } }
        : {}),
  }
}
