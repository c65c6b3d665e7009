import { NO_PLAN } from '../ports/accounts.ts'

/** Takes away what somebody gave: the server's default holds again. */
export const STANDARD_PLAN = 'default'

/** What an account may be given on a server with these plans. */
export function planWords(plans: ReadonlyMap<string, unknown>): readonly string[] {
  return [...plans.keys(), NO_PLAN, STANDARD_PLAN]
}
