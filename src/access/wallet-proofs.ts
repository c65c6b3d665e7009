import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { TicketStore } from '../ports/tickets.ts'
import type { WalletChallenge, WalletClaim, WalletProof, WalletProofs } from '../ports/wallets.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Wallet } from '../protocol/messages.ts'
import { onceRead } from './once-read.ts'

/** Milliseconds from asking to signing: a person reads it, and finds their wallet's device. */
const CHALLENGE_MS = 300_000
/** Bytes that make each challenge another one, and of the mark that shows it is ours. */
const [RANDOM_BYTES, MARK_BYTES] = [16, 16]
/** What the key for marks is derived for, from the secret that signs tickets. */
const PURPOSE = 'wallet challenge'
const STATEMENT = 'Prove that this wallet is yours, to open its conversations. This costs nothing and moves nothing.'
/** A key's own signature: one of a contract would need a look at its chain. */
const SIGNATURE = /^0x[0-9A-Fa-f]{130}$/

export function createWalletProofs(store: TicketStore): WalletProofs {
  return new SignedChallenges(store)
}

type Fields = WalletClaim & { readonly issuedAt: Date; readonly expirationTime: Date }

/**
 * Challenges are not stored: their nonce carries a mark of all that they say, so that any process on the store knows its own.
 * A used one is a row, as a used ticket is.
 */
class SignedChallenges implements WalletProofs {
  readonly #store: TicketStore
  readonly #key = onceRead(async (): Promise<Uint8Array> => {
    const secret = await this.#store.signingSecret(randomBytes(2 * RANDOM_BYTES).toString('base64'))
    return createHmac('sha256', Buffer.from(secret, 'base64')).update(PURPOSE).digest()
  })

  constructor(store: TicketStore) {
    this.#store = store
  }

  async challenge(claim: WalletClaim): Promise<WalletChallenge> {
    const { getAddress, isAddress } = await import('viem/utils')
    if (!isAddress(claim.address, { strict: false }))
      throw new ParleyError('bad_request', { message: 'address: must be 0x and 40 hexadecimal digits' })
    const issuedAt = new Date()
    const expirationTime = new Date(issuedAt.getTime() + CHALLENGE_MS)
    const fields = { ...claim, address: getAddress(claim.address), issuedAt, expirationTime }
    const random = randomBytes(RANDOM_BYTES).toString('hex')
    const nonce = random + (await this.#mark(random, fields))
    return { message: await write(fields, nonce), nonce, expiresAt: expirationTime.getTime() }
  }

  async prove({ session, domain, message, signature }: WalletProof): Promise<Wallet> {
    const { parseSiweMessage } = await import('viem/siwe')
    const read = parseSiweMessage(message)
    const { address, chainId, uri, issuedAt, expirationTime, nonce = '' } = read
    if (address === undefined || chainId === undefined || uri === undefined) throw refused('is not one of this server')
    if (issuedAt === undefined || expirationTime === undefined) throw refused('is not one of this server')
    if (read.domain !== domain) throw refused('is for another site')
    const fields = { session, address, chainId, domain, uri, issuedAt, expirationTime }
    if (!(await this.#isOurs(nonce, fields)) || (await write(fields, nonce)) !== message)
      throw refused('is not one of this server for this session')
    if (Date.now() >= expirationTime.getTime()) throw refused('has expired')
    if ((await signerOf(message, signature)) !== address) throw refused('is signed by another wallet')
    if (!(await this.#store.useTicket(`wallet.${nonce}`, expirationTime.getTime())))
      throw new ParleyError('conflict', { message: 'This challenge was used before; ask for another one' })
    return { address, chain: String(chainId) }
  }

  async #isOurs(nonce: string, fields: Fields): Promise<boolean> {
    const random = nonce.slice(0, RANDOM_BYTES * 2)
    const [given, known] = [Buffer.from(nonce), Buffer.from(random + (await this.#mark(random, fields)))]
    return given.length === known.length && timingSafeEqual(given, known)
  }

  async #mark(random: string, fields: Fields): Promise<string> {
    const { session, address, chainId, domain, uri, issuedAt, expirationTime } = fields
    const said = [random, session, address, chainId, domain, uri, issuedAt.getTime(), expirationTime.getTime()]
    const mark = createHmac('sha256', await this.#key())
      .update(JSON.stringify(said))
      .digest()
    return mark.subarray(0, MARK_BYTES).toString('hex')
  }
}

/** Throws `bad_request` for a claim that no message can hold. */
async function write({ session: _session, address, ...fields }: Fields, nonce: string): Promise<string> {
  const [{ createSiweMessage }, { getAddress }] = await Promise.all([import('viem/siwe'), import('viem/utils')])
  try {
    return createSiweMessage({ ...fields, address: getAddress(address), nonce, statement: STATEMENT, version: '1' })
  } catch (cause) {
    throw new ParleyError('bad_request', { message: 'This page or chain cannot be named in a challenge', cause })
  }
}

/** By arithmetic alone; undefined for what is no signature. */
async function signerOf(message: string, signature: string): Promise<string | undefined> {
  if (!SIGNATURE.test(signature)) return undefined
  const { recoverMessageAddress } = await import('viem/utils')
  try {
    return await recoverMessageAddress({ message, signature: `0x${signature.slice(2)}` })
  } catch {
    // Digits that are no point of the curve.
    return undefined
  }
}

function refused(why: string): ParleyError {
  return new ParleyError('forbidden', { message: `The challenge ${why}` })
}
