import * as v from 'valibot'
import type { Credential } from '../../src/protocol/handshake.ts'

const TicketSchema = v.object({ ticket: v.string() })

/**
 * Asks the page's own server for a ticket, with the cookies by which it knows the visitor: `POST url` with `{"session"}`,
 * answered by `{"ticket"}` as Parley's own `POST /v1/tickets` does. Rejects where there is none to be had.
 */
export function ticketsFrom(url: string, session: string): () => Promise<Credential> {
  return async () => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ session }),
    })
    if (!answer.ok) throw new Error(`no ticket: ${answer.status}`)
    const { ticket } = v.parse(TicketSchema, await answer.json())
    return { kind: 'ticket', ticket }
  }
}
