import type { OpenCall } from '../../ports/conversations.ts'
import { readWalletCall, type Signing, type Transaction } from '../../protocol/wallet-calls.ts'
import type { SystemEvent } from './memos.ts'
import type { PendingRequests } from './user-state.ts'

/** One call as a client is told of it. */
export type WalletRequest = {
  readonly toolCallId: string
  readonly ids: readonly number[]
  readonly kind: 'transaction' | 'eip712'
  readonly transactions: readonly Transaction[]
  readonly signing?: Signing
}

/** The open calls that a wallet answers. */
export function walletRequestsOf(open: readonly OpenCall[] = []): WalletRequest[] {
  return open.flatMap(({ toolCallId, wallet, arguments: text }): WalletRequest[] => {
    const call = wallet === undefined ? undefined : readWalletCall(wallet.kind, toJson(text))
    if (wallet === undefined || call === undefined) return []
    const { ids } = wallet
    return call.kind === 'transaction'
      ? [{ toolCallId, ids, kind: call.kind, transactions: call.transactions }]
      : [{ toolCallId, ids, kind: call.kind, transactions: [], signing: call.signing }]
  })
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function pendingOf(requests: readonly WalletRequest[]): PendingRequests {
  const transactions = requests.flatMap(({ ids, transactions: all }) =>
    all.map((transaction, index): [string, Transaction] => [String(ids[index]), transaction]),
  )
  const signings = requests.flatMap(({ ids: [id = 0], signing }): [string, Signing][] =>
    signing === undefined ? [] : [[String(id), signing]],
  )
  return {
    pending_txs: Object.fromEntries(transactions),
    pending_eip712s: Object.fromEntries(signings),
    next_id: Math.max(0, ...requests.flatMap(({ ids }) => ids)) + 1,
  }
}

/** What makes a client ask its wallet. */
export function requestEvent({ ids, transactions, signing }: WalletRequest): SystemEvent {
  if (signing !== undefined) {
    const { typed_data, description } = signing
    const payload = { typed_data, description: description ?? '', pending_eip712_id: ids[0] }
    return { InlineCall: { type: 'wallet_eip712_request', payload } }
  }
  const [first, ...others] = transactions
  const payload = { tx_ids: ids, aa_preference: 'auto', ...(others.length === 0 ? first : {}) }
  return { InlineCall: { type: 'wallet_tx_request', payload } }
}
