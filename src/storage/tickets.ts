import type { TicketStore } from '../ports/tickets.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Pool } from './connection.ts'

/** Of the row in `secrets`. */
const NAME = 'tickets'
/** Tries to read a secret that another process stores at the same moment: the second sees it. */
const MAX_TRIES = 3
/** Rows that one use removes: more than it adds, so the table stays as small as the last hour's tickets. */
const PRUNED = 10

export function createTicketStore(pool: Pool): TicketStore {
  return {
    async signingSecret(candidate) {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const [row] = await pool.query((sql) => {
          return sql<{ value: string }[]>`
            with made as (
              insert into secrets (name, value) select ${NAME}, ${candidate}
              where not exists (select from secrets where name = ${NAME})
              on conflict do nothing returning value
            )
            select value from made union all select value from secrets where name = ${NAME}`
        })
        if (row !== undefined) return row.value
      }
      throw new ParleyError('store_unavailable')
    },
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
