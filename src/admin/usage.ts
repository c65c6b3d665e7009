import type { Actor, UsageWish } from '../ports/admin.ts'
import type { AdminStore, UsageRow } from '../ports/admin-store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { narrowed } from './reach.ts'

/** Milliseconds: a quarter and a bit. A year is asked for in parts. */
const MAX_USAGE_MS = 93 * 86_400_000
/** Rows of one answer, about 200 bytes each. */
const MAX_USAGE_ROWS = 5000

/** Runs and tokens as far as the actor reaches; throws `invalid_value` when it is too much for one answer. */
export async function countUsage(
  reads: Pick<AdminStore, 'usage'>,
  actor: Actor,
  wish: UsageWish,
): Promise<readonly UsageRow[]> {
  const { from, to } = wish
  if (to <= from || to - from > MAX_USAGE_MS)
    throw new ParleyError('invalid_value', { message: 'to: after from, and 93 days later at most' })
  const reach = narrowed(actor, wish)
  if (reach === undefined) return []
  const rows = await reads.usage({ ...reach, from, to, limit: MAX_USAGE_ROWS + 1 })
  if (rows.length > MAX_USAGE_ROWS)
    throw new ParleyError('invalid_value', {
      message: `More than ${MAX_USAGE_ROWS} rows: ask for fewer days, or one App`,
    })
  return rows
}
