import * as v from 'valibot'
import { ParleyError } from '../../protocol/errors.ts'
import type { Wallet } from '../../protocol/messages.ts'
import { readInput, readJson } from '../input.ts'
import { type HttpContext, json } from '../responses.ts'
import { admitToApp, makeFor } from './admit.ts'
import type { Aomi } from './parts.ts'
import { appOf, sessionIdOf } from './request.ts'

/** Characters of a message to sign; ours are below a thousand. */
const MAX_MESSAGE = 4096
const MAX_ADDRESS = 128
const ETHEREUM = 1

const ChallengeBody = v.object({
  address: v.pipe(v.string(), v.maxLength(MAX_ADDRESS)),
  chain_id: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)), ETHEREUM),
})
const BindBody = v.object({
  message: v.pipe(v.string(), v.maxLength(MAX_MESSAGE)),
  signature: v.pipe(v.string(), v.maxLength(MAX_MESSAGE)),
})

/** What a client says of its wallet, where the App takes its word: else only an unbinding. */
export async function claimed(
  { apps }: Aomi,
  app: string,
  wallet: Wallet | null | undefined,
): Promise<Wallet | null | undefined> {
  if (!wallet) return wallet
  return (await apps.get(app))?.aomi?.walletProof === true ? undefined : wallet
}

/** `POST /api/wallet/challenge`: what a wallet has to sign for this session. */
export async function challengeWallet(c: HttpContext, aomi: Aomi): Promise<Response> {
  const session = sessionIdOf(c)
  const { address, chain_id } = readInput(ChallengeBody, await readJson(c))
  await admitToApp(c, aomi, appOf(c), 'write')
  const { message, nonce, expiresAt } = await aomi.wallets.challenge({
    session,
    address,
    chainId: chain_id,
    ...siteOf(c),
  })
  return json({ message, nonce, expires_at: new Date(expiresAt).toISOString() })
}

/** `POST /api/wallet/bind`: binds the wallet that signed it. */
export async function proveWallet(c: HttpContext, aomi: Aomi): Promise<Response> {
  const session = sessionIdOf(c)
  const { message, signature } = readInput(BindBody, await readJson(c))
  const sender = await admitToApp(c, aomi, appOf(c), 'write')
  const { domain } = siteOf(c)
  const wallet = await aomi.wallets.prove({ session, domain, message, signature })
  const conversation = await makeFor(aomi, session, sender, appOf(c))
  await conversation.update({ wallet: { ...wallet, proven: true } })
  const body = { success: true, session_id: session, wallet_address: wallet.address, chain_id: Number(wallet.chain) }
  return json(body)
}

/**
 * The site that the person sees. Its Origin was judged when it was let in: a page of anyone's could else have a person sign for
 * a session of its own.
 */
function siteOf(c: HttpContext): { readonly domain: string; readonly uri: string } {
  const origin = c.req.header('origin') ?? `${c.env.peer.secure ? 'https' : 'http'}://${c.req.header('host') ?? ''}`
  if (!URL.canParse(origin)) throw new ParleyError('bad_request', { message: 'The Origin or Host is not well formed' })
  const { host, href } = new URL(origin)
  return { domain: host, uri: href }
}
