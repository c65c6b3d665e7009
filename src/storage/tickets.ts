import type { TicketStore } from '../ports/tickets.ts'
import type { Pool } from './connection.ts'
import { storedSecret } from './stored-secret.ts'

/** Of the row in `secrets`. */
const NAME = 'tickets'
/** Rows that one use removes: more than it adds, so the table stays as small as the last hour's tickets. */
const PRUNED = 10

export function createTicketStore(pool: Pool): TicketStore {
  return {
    signingSecret: (candidate) => storedSecret(pool, NAME, candidate),
    /** The row is kept for an hour beyond its time: another machine's clock may be behind. */
    async useTicket(id, expiresAt) {
      const used = await pool.query((sql) => {
        return sql`
          with pruned as (
            delete from used_tickets where id in (
              select id from used_tickets where expires_at < now() - interval '1 hour' order by expires_at
              limit ${PRUNED} for update skip locked
            )
          )
          insert into used_tickets (id, expires_at) values (${id}, ${new Date(expiresAt)}::timestamptz)
          on conflict do nothing returning id`
      })
      return used.length > 0
    },
  }
}
