import { randomBytes } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import * as v from 'valibot'
import type { Grant, Ticket } from '../ports/access.ts'
import type { TicketStore } from '../ports/tickets.ts'
import { ParleyError } from '../protocol/errors.ts'
import { onceRead } from './once-read.ts'

const ALGORITHM = 'HS256'
/** Bytes of the secret: what HMAC-SHA-256 takes in whole. */
const SECRET_BYTES = 32
/** Bytes of a ticket's id: two never meet. */
const ID_BYTES = 16
/** Characters; what is longer is none of ours. A user's name of 200 characters of four bytes fits. */
const MAX_LENGTH = 4096
/**
 * Milliseconds for which a session that a ticket opened may come back by itself: a day. Then whoever mints the tickets is asked
 * again whether this person may still be here.
 */
const MAX_STAY_MS = 86_400_000
const MS_PER_SECOND = 1000

export type TicketSettings = {
  /** Milliseconds from minting to the handshake. */
  readonly ticketMs: number
  /** Milliseconds for which a token for coming back is good. */
  readonly returnMs: number
}

/** Who is let in: one user to one session of one App, by the word of one key, whose account it is. */
type Bearer = Grant & { readonly app: string; readonly keyId: string }

const ClaimsSchema = v.object({
  /** `ticket` opens one connection; `return` brings a client back. */
  use: v.picklist(['ticket', 'return']),
  jti: v.string(),
  /** Seconds since 1970, as of all times in a token. */
  exp: v.number(),
  /** When the ticket was minted from which all others of this stay come. */
  since: v.number(),
  bearer: v.object({
    session: v.string(),
    user: v.string(),
    scopes: v.array(v.picklist(['read', 'write', 'delete'])),
    app: v.string(),
    keyId: v.string(),
  }),
})
export type Claims = v.InferOutput<typeof ClaimsSchema>

/** Mints and reads what lets one browser into one session: tokens that all processes on one store sign alike. */
export class Tickets {
  readonly #store: TicketStore
  readonly #settings: TicketSettings
  readonly #secret = onceRead(async (): Promise<Uint8Array> => {
    const candidate = randomBytes(SECRET_BYTES).toString('base64')
    return Buffer.from(await this.#store.signingSecret(candidate), 'base64')
  })

  constructor(store: TicketStore, settings: TicketSettings) {
    this.#store = store
    this.#settings = settings
  }

  async mint(bearer: Bearer, now: number): Promise<Ticket> {
    const expiresAt = now + this.#settings.ticketMs
    return { ticket: await this.#sign('ticket', bearer, now, expiresAt), expiresAt }
  }

  /** For who is in by `claims`. It may be used again until its time is up: a line may be cut at any moment. */
  async token({ bearer, since }: Claims, now: number): Promise<string> {
    const start = since * MS_PER_SECOND
    return this.#sign('return', bearer, start, Math.min(now + this.#settings.returnMs, start + MAX_STAY_MS))
  }

  /** Throws `unauthorized` for what this server did not sign, `ticket_expired`. */
  async read(text: string): Promise<Claims> {
    if (text.length > MAX_LENGTH) throw new ParleyError('unauthorized')
    const secret = await this.#secret()
    try {
      const { payload } = await jwtVerify(text, secret, { algorithms: [ALGORITHM] })
      return v.parse(ClaimsSchema, payload)
    } catch (thrown) {
      throw new ParleyError(thrown instanceof errors.JWTExpired ? 'ticket_expired' : 'unauthorized')
    }
  }

  /** Takes the one use of a ticket; throws `ticket_used`. */
  async use({ use, jti, exp }: Claims): Promise<void> {
    if (use === 'ticket' && !(await this.#store.useTicket(jti, exp * MS_PER_SECOND)))
      throw new ParleyError('ticket_used')
  }

  async #sign(use: Claims['use'], bearer: Bearer, since: number, expiresAt: number): Promise<string> {
    const claims = { use, since: Math.floor(since / MS_PER_SECOND), bearer }
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM })
      .setJti(randomBytes(ID_BYTES).toString('base64url'))
      .setExpirationTime(Math.floor(expiresAt / MS_PER_SECOND))
      .sign(await this.#secret())
  }
}
