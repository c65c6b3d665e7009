import type { AccessSettings } from '../../src/access/access.ts'

/** A server's own figures, with few keys in memory and no plan; each test says what it has otherwise. */
export const ACCESS: AccessSettings = {
  defaultApp: true,
  requireHttps: false,
  trustedProxies: [],
  verdicts: 100,
  connectionsPerAddress: 200,
  runsPerMinute: 10,
  runsAtOnce: 3,
  guessesPerMinute: 10,
  hashesAtOnce: 2,
  ticketMs: 30_000,
  returnMs: 600_000,
  plans: new Map(),
  defaultPlan: 'none',
  connectionsPerKey: 1000,
  connectionsPerApp: 1000,
  appRunsAtOnce: 1000,
  accountRunsAtOnce: 1000,
  appTokensPerDay: 0,
}
