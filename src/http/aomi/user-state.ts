import * as v from 'valibot'
import { ParleyError } from '../../protocol/errors.ts'
import { type Wallet, WalletSchema } from '../../protocol/messages.ts'
import type { Signing, Transaction } from '../../protocol/wallet-calls.ts'
import { parseJson } from '../input.ts'

/** Characters of a client's state: its wallet, what waits to be signed and a few preferences; a request line must hold it. */
const MAX_STATE_LENGTH = 64 * 1024
/** Ethereum, when a client names an address and no chain. */
const DEFAULT_CHAIN = '1'

export type UserState = Readonly<Record<string, unknown>>

/** What waits to be signed, as clients hold it, by number. */
export type PendingRequests = {
  readonly pending_txs: Readonly<Record<string, Transaction>>
  readonly pending_eip712s: Readonly<Record<string, Signing>>
  readonly next_id: number
}

const StateSchema = v.record(v.string(), v.unknown())
const Chain = v.union([v.string(), v.number()])
/** The three shapes in which clients state a wallet: flat, as the command line does, and nested. */
const WalletFacts = v.object({
  address: v.optional(v.nullable(v.string())),
  chain_id: v.optional(v.nullable(Chain)),
  chainId: v.optional(v.nullable(Chain)),
  is_connected: v.optional(v.nullable(v.boolean())),
  isConnected: v.optional(v.nullable(v.boolean())),
  connection: v.optional(v.object({ is_connected: v.optional(v.boolean()) })),
  evm: v.optional(v.object({ address: v.optional(v.nullable(v.string())), chain_id: v.optional(v.nullable(Chain)) })),
})

/** Throws `bad_request` for what is no JSON object. */
export function readUserState(text: string | undefined): UserState | undefined {
  if (text === undefined || text === '') return undefined
  if (text.length > MAX_STATE_LENGTH) throw new ParleyError('bad_request', { message: 'user_state is too long' })
  const read = parseJson(text, 'user_state')
  const parsed = v.safeParse(StateSchema, read)
  if (!parsed.success || Array.isArray(read))
    throw new ParleyError('bad_request', { message: 'user_state must be a JSON object' })
  return parsed.output
}

/** The wallet that a state names; null: it says that none is connected; undefined: it says nothing that could be bound. */
export function walletIn(state: unknown, publicKey?: string): Wallet | null | undefined {
  const parsed = v.safeParse(WalletFacts, state ?? {})
  if (!parsed.success) return undefined
  const { address, chain_id, chainId, is_connected, isConnected, connection, evm } = parsed.output
  const named = publicKey ?? address ?? evm?.address ?? undefined
  const connected = is_connected ?? isConnected ?? connection?.is_connected
  if (publicKey === undefined && connected === false) return null
  const chain = chain_id ?? chainId ?? evm?.chain_id ?? DEFAULT_CHAIN
  const wallet = v.safeParse(WalletSchema, { address: named, chain })
  return wallet.success ? wallet.output : undefined
}

/**
 * The state as the client is told it: all that it said itself, but for what waits to be signed. That is the server's: a copy that
 * a late poll brings back must not raise what is done.
 */
export function echoOf(
  state: UserState | undefined,
  wallet: Wallet | undefined,
  waiting: PendingRequests = NOTHING_WAITS,
): UserState {
  const bound =
    wallet === undefined ? {} : { address: wallet.address, chain_id: toChain(wallet.chain), is_connected: true }
  const pending = v.safeParse(StateSchema, state?.['pending'])
  const none = pending.success ? Object.fromEntries(Object.keys(pending.output).map((name) => [name, {}])) : {}
  const nested = pending.success
    ? { pending: { ...none, evm_txs: waiting.pending_txs, evm_sigs: waiting.pending_eip712s } }
    : {}
  return { ...bound, ...state, ...nested, ...waiting }
}

const NOTHING_WAITS: PendingRequests = { pending_txs: {}, pending_eip712s: {}, next_id: 1 }

const Held = v.record(v.string(), v.unknown())
const HeldRequests = v.object({
  pending_txs: v.optional(Held, {}),
  pending_eip712s: v.optional(Held, {}),
  pending: v.optional(v.object({ evm_txs: v.optional(Held, {}), evm_sigs: v.optional(Held, {}) })),
})

/** The numbers of what waits to be signed as a client's own copy has them: only to tell whether it lost something. */
export function heldNumbers(text: string): ReadonlySet<string> | undefined {
  const parsed = v.safeParse(HeldRequests, readUserState(text))
  if (!parsed.success) return undefined
  const { pending_txs, pending_eip712s, pending } = parsed.output
  return new Set([pending_txs, pending_eip712s, pending?.evm_txs ?? {}, pending?.evm_sigs ?? {}].flatMap(Object.keys))
}

function toChain(chain: string): number | string {
  return /^\d{1,15}$/.test(chain) ? Number(chain) : chain
}
