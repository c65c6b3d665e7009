import * as v from 'valibot'
import type { Credential } from '../../src/protocol/handshake.ts'
import { SignedOutError } from '../core/credential-source.ts'

/** The answers of a page's server that mean "nobody is signed in", or "not this one". */
const SIGNED_OUT_STATUSES = new Set([401, 403])
const TicketSchema = v.object({ ticket: v.string() })

/**
 * Asks the page's own server for a ticket, with the cookies by which it knows the visitor: `POST url` with `{"session"}`,
 * answered by `{"ticket"}` as Parley's own `POST /v1/tickets` does. Rejects where there is none to be had, with
 * `SignedOutError` where asking again would not help.
 */
export function ticketsFrom(url: string, session: string): () => Promise<Credential> {
  return async () => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ session }),
    })
    if (SIGNED_OUT_STATUSES.has(answer.status)) throw new SignedOutError(`no ticket: ${answer.status}`)
    if (!answer.ok) throw new Error(`no ticket: ${answer.status}`)
    const { ticket } = v.parse(TicketSchema, await answer.json())
    return { kind: 'ticket', ticket }
  }
}
