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
  /** Usually one; several that differ are a fault of form (P-16). */
  readonly sessionIds: readonly string[]
  readonly credential?: Credential
}

const NOTHING_OFFERED: OfferedProtocols = { speaksParley: false, sessionIds: [] }

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
  if (header === undefined) return NOTHING_OFFERED
  const offered = header.split(',').map((entry) => entry.trim())
  const all = (prefix: string) =>
    offered.filter((entry) => entry.startsWith(prefix)).map((entry) => entry.slice(prefix.length))
  const [key] = all(KEY_PREFIX)
  const [ticket] = all(TICKET_PREFIX)
  return {
    speaksParley: offered.includes(PROTOCOL_VERSION),
    sessionIds: all(SESSION_PREFIX),
    ...(key !== undefined
      ? { credential: { kind: 'key', key } }
      : ticket !== undefined
        ? { credential: { kind: 'ticket', ticket } }
        : {}),
  }
}
