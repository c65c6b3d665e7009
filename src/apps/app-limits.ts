import * as v from 'valibot'
import type { AppLimits } from '../ports/apps.ts'
import { between, told } from './fields.ts'

/** Above it a limit is a slip of the hand; tokens are counted in larger numbers. */
const MAX_COUNT = 1_000_000
const MAX_TOKENS_PER_DAY = 1e12
/** Sends that wait in one session: each is text in memory. */
const MAX_QUEUED_SENDS = 1000

const Count = between(1, MAX_COUNT)

/** What an App may take of the server, in the place of the server's own figures. */
export const AppLimitsSchema = v.strictObject({
  connections: v.optional(told('Connections to all of its sessions together, in one process.', Count)),
  connectionsPerSession: v.optional(
    told('Connections to one session; one whose line is down, else the oldest, is closed for a new one.', Count),
  ),
  runsAtOnce: v.optional(told('Answers under way at once, in one process.', Count)),
  queuedSends: v.optional(told('Messages of one session that wait; 0: none does.', between(0, MAX_QUEUED_SENDS))),
  tokensPerDay: v.optional(
    told('Tokens, input and output, from midnight to midnight UTC.', between(1, MAX_TOKENS_PER_DAY)),
  ),
})

type Figures = {
  readonly access: {
    readonly connectionsPerApp: number
    readonly appRunsAtOnce: number
    /** 0: no bound. */
    readonly appTokensPerDay: number
  }
  readonly chat: { readonly connectionsPerSession: number; readonly queuedSends: number }
}

/** What holds for an App whose definition says nothing. */
export function serverLimits({ access, chat }: Figures): Readonly<Record<keyof AppLimits, number | undefined>> {
  return {
    connections: access.connectionsPerApp,
    connectionsPerSession: chat.connectionsPerSession,
    runsAtOnce: access.appRunsAtOnce,
    queuedSends: chat.queuedSends,
    tokensPerDay: access.appTokensPerDay === 0 ? undefined : access.appTokensPerDay,
  }
}
