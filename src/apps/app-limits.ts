import * as v from 'valibot'

/** Above it a limit is a slip of the hand; tokens are counted in larger numbers. */
const MAX_COUNT = 1_000_000
const MAX_TOKENS_PER_DAY = 1e12
/** Sends that wait in one session: each is text in memory. */
const MAX_QUEUED_SENDS = 1000

const Count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_COUNT))

/** What an App may take of the server, in the place of the server's own figures. */
export const AppLimitsSchema = v.strictObject({
  /** To all of its sessions together, in one process. */
  connections: v.optional(Count),
  connectionsPerSession: v.optional(Count),
  /** Answers under way at once, in one process. */
  runsAtOnce: v.optional(Count),
  /** Sends of one session that wait; 0: none does. */
  queuedSends: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_QUEUED_SENDS))),
  /** Input and output of its models, from midnight to midnight UTC. */
  tokensPerDay: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_TOKENS_PER_DAY))),
})
