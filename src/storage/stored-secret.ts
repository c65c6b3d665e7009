import { ParleyError } from '../protocol/errors.ts'
import type { Pool } from './connection.ts'

/** Tries to read a secret that another process stores at the same moment: the second sees it. */
const MAX_TRIES = 3

/** The secret of this name that all processes share: the stored one, else `candidate`, which is stored. */
export async function storedSecret(pool: Pool, name: string, candidate: string): Promise<string> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const [row] = await pool.query((sql) => {
      return sql<{ value: string }[]>`
        with made as (
          insert into secrets (name, value) select ${name}, ${candidate}
          where not exists (select from secrets where name = ${name})
          on conflict do nothing returning value
        )
        select value from made union all select value from secrets where name = ${name}`
    })
    if (row !== undefined) return row.value
  }
  throw new ParleyError('store_unavailable')
}
