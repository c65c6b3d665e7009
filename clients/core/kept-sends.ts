import * as v from 'valibot'
import type { PendingSend } from './conversation.ts'

/** Where a client keeps the sends that the server has yet to take, so that a reload does not lose them. */
export interface KeptSends {
  load(): readonly PendingSend[]
  /** In the place of what was kept before. */
  save(sends: readonly PendingSend[]): void
}

const DeliverySchema = v.variant('state', [
  v.object({ state: v.literal('waiting') }),
  v.object({ state: v.literal('failed'), code: v.string(), message: v.string(), retryable: v.boolean() }),
])
const KeptSchema = v.array(
  v.object({
    id: v.string(),
    text: v.string(),
    policy: v.picklist(['enqueue', 'reject', 'interrupt']),
    replaces: v.optional(v.string()),
    behind: v.boolean(),
    delivery: DeliverySchema,
  }),
)

/** What of `sends` a later page goes on with: what was on its way goes out again, under its id, which starts nothing twice. */
export function formatSends(sends: readonly PendingSend[]): string | undefined {
  if (sends.length === 0) return undefined
  return JSON.stringify(
    sends.map((send) => (send.delivery.state === 'failed' ? send : { ...send, delivery: { state: 'waiting' } })),
  )
}

/** Nothing where `text` was written by another version, or by hand. */
export function parseSends(text: string | undefined): readonly PendingSend[] {
  if (text === undefined) return []
  try {
    return v.parse(KeptSchema, JSON.parse(text))
  } catch {
    return []
  }
}
