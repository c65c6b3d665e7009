import * as v from 'valibot'
import type { CallAnswer } from '../../ports/conversations.ts'
import type { WalletRequest } from './wallet-requests.ts'

/** Things that one message of a client may answer. */
const MAX_IDS = 100
const Text = v.optional(v.nullable(v.string()))
const Id = v.pipe(v.number(), v.safeInteger())

const TransactionDone = v.looseObject({
  txHash: Text,
  status: v.optional(v.string()),
  error: Text,
  pending_tx_ids: v.optional(v.pipe(v.array(Id), v.maxLength(MAX_IDS))),
})
const SigningDone = v.looseObject({
  status: v.optional(v.string()),
  signature: Text,
  error: Text,
  description: Text,
  pending_eip712_id: v.optional(v.nullable(Id)),
})

/** Fields that the model reads; a client may add what it likes. */
const TOLD = [
  'status',
  'txHash',
  'signature',
  'error',
  'amount',
  'pending_tx_ids',
  'pending_eip712_id',
  'description',
  'aa_requested_mode',
  'aa_resolved_mode',
  'aa_fallback_reason',
  'execution_kind',
  'batched',
  'call_count',
  'sponsored',
  'smart_account_address',
  'delegation_address',
]

const TRANSACTION = 'wallet:tx_complete'
const SIGNING = 'wallet_eip712_response'

/** Is a message of this type about a request? */
export function isWalletAnswer(type: string): boolean {
  return type === TRANSACTION || type === SIGNING
}

/** What a client's message says of open requests; none where it says nothing of them, or of such as are answered. */
export function walletAnswers(type: string, payload: unknown, open: readonly WalletRequest[]): CallAnswer[] {
  if (type === TRANSACTION) return transactionAnswers(payload, open)
  if (type === SIGNING) return signingAnswers(payload, open)
  return []
}

/** Of several transactions of one call, which a wallet sends together, one that is named stands for all. */
function transactionAnswers(payload: unknown, open: readonly WalletRequest[]): CallAnswer[] {
  const parsed = v.safeParse(TransactionDone, payload)
  if (!parsed.success) return []
  const { txHash, status, error, pending_tx_ids: named = [] } = parsed.output
  const isDone = status === 'success' && isText(txHash) && !isText(error)
  return open
    .filter(({ kind, ids }) => kind === 'transaction' && ids.some((id) => named.includes(id)))
    .map(({ toolCallId }) => ({ toolCallId, content: toldOf(parsed.output), isError: !isDone }))
}

/** A client that names no request means the only one. */
function signingAnswers(payload: unknown, open: readonly WalletRequest[]): CallAnswer[] {
  const parsed = v.safeParse(SigningDone, payload)
  if (!parsed.success) return []
  const { status, signature, error, description, pending_eip712_id: named } = parsed.output
  const signings = open.filter(({ kind }) => kind === 'eip712')
  const isMeant = ({ ids, signing }: WalletRequest): boolean => {
    if (typeof named === 'number') return ids.includes(named)
    return signings.length === 1 && (!isText(description) || description === (signing?.description ?? ''))
  }
  const isDone = isText(signature) && !isText(error) && (status === undefined || status === 'success')
  return signings
    .filter(isMeant)
    .map(({ toolCallId }) => ({ toolCallId, content: toldOf(parsed.output), isError: !isDone }))
}

function isText(value: string | null | undefined): value is string {
  return typeof value === 'string' && value !== ''
}

function toldOf(payload: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.fromEntries(TOLD.flatMap((name) => (name in payload ? [[name, payload[name]]] : []))))
}
