import type { Wallet } from '../protocol/messages.ts'

/** Who is to sign, for which session, and to which site. */
export type WalletClaim = {
  readonly session: string
  readonly address: string
  /** EIP-155. */
  readonly chainId: number
  /** Host, with its port where it is not the usual one, of the page that asks. */
  readonly domain: string
  /** Of the page. */
  readonly uri: string
}

/** What the wallet signs. `expiresAt` in milliseconds since 1970. */
export type WalletChallenge = { readonly message: string; readonly nonce: string; readonly expiresAt: number }

export type WalletProof = {
  readonly session: string
  readonly domain: string
  readonly message: string
  readonly signature: string
}

/** Proofs that whoever binds a wallet holds its key (EIP-4361). */
export interface WalletProofs {
  /** Throws `bad_request` for what is no address. */
  challenge(claim: WalletClaim): Promise<WalletChallenge>
  /** The wallet that signed. Throws `forbidden` for what does not hold, `conflict` for a challenge that was used before. */
  prove(proof: WalletProof): Promise<Wallet>
}
