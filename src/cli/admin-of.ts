import { mintKey } from '../access/keys.ts'
import { plainNetwork } from '../access/networks.ts'
import { createAdmin } from '../admin/admin.ts'
import type { AdminParts } from '../admin/parts.ts'
import { parseDefinition } from '../apps/definition.ts'
import type { Actor, Admin } from '../ports/admin.ts'

/** Whoever is at the host's command line. */
export const AT_HOST: Actor = { kind: 'cli' }

/** The server's figures bind accounts, and whoever is here is none. */
const limits = {
  connections: undefined,
  connectionsPerSession: undefined,
  runsAtOnce: undefined,
  queuedSends: undefined,
  tokensPerDay: undefined,
}

/** What the commands do, on this store. */
export function adminOf(
  store: AdminParts['store'],
  reads: AdminParts['reads'],
  settings: Pick<AdminParts, 'auditKeepMs' | 'plans'>,
): Admin {
  return createAdmin({ store, reads, limits, ...settings, parseDefinition, mintKey, plainNetwork })
}
