import * as v from 'valibot'
import { StorableText } from './messages.ts'

/** What a person's wallet is asked for: to send transactions, or to sign typed data (EIP-712). */
export type WalletKind = 'transaction' | 'eip712'

/** Transactions of one call, which a wallet sends together: more is nothing that a person reads before signing. */
const MAX_BATCH = 10
/** Characters of a transaction's data: what a swap over several pools takes, several times. */
const MAX_DATA = 16_384
/** Characters of typed data as JSON. */
const MAX_TYPED_DATA = 16_384
const MAX_LABEL = 500

const Chain = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
/** Wei: decimal or hexadecimal, at most 2^256. */
const Amount = v.union([
  v.pipe(v.string(), v.regex(/^(?:\d{1,78}|0x[0-9A-Fa-f]{1,64})$/)),
  v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.transform(String)),
])
const Address = v.pipe(v.string(), v.regex(/^0x[0-9A-Fa-f]{40}$/))
const Label = v.pipe(StorableText, v.maxLength(MAX_LABEL))

const TransactionSchema = v.object({
  to: Address,
  value: v.optional(Amount, '0'),
  data: v.optional(v.pipe(v.string(), v.maxLength(MAX_DATA), v.regex(/^0x(?:[0-9A-Fa-f]{2})*$/)), '0x'),
  chain_id: v.optional(Chain),
  label: v.optional(Label),
  from: v.optional(Address),
  gas: v.optional(Amount),
})
const BatchSchema = v.object({
  transactions: v.pipe(v.array(TransactionSchema), v.minLength(1), v.maxLength(MAX_BATCH)),
})

const TypedDataSchema = v.pipe(
  v.looseObject({
    types: v.record(v.string(), v.unknown()),
    primaryType: StorableText,
    domain: v.record(v.string(), v.unknown()),
    message: v.record(v.string(), v.unknown()),
  }),
  v.check((data) => JSON.stringify(data).length <= MAX_TYPED_DATA),
)
const SigningSchema = v.object({
  typed_data: TypedDataSchema,
  description: v.optional(Label),
  chain_id: v.optional(Chain),
})

export type Transaction = v.InferOutput<typeof TransactionSchema>
export type Signing = v.InferOutput<typeof SigningSchema>

/** What one call asks of a wallet. */
export type WalletCall =
  | { readonly kind: 'transaction'; readonly transactions: readonly Transaction[] }
  | { readonly kind: 'eip712'; readonly signing: Signing }

/** One transaction, or several as `transactions`; typed data as `typed_data`. Undefined: nothing that a wallet could show. */
export function readWalletCall(kind: WalletKind, args: unknown): WalletCall | undefined {
  if (kind === 'eip712') {
    const signing = v.safeParse(SigningSchema, args)
    return signing.success ? { kind, signing: signing.output } : undefined
  }
  const batch = v.safeParse(BatchSchema, args)
  if (batch.success) return { kind, transactions: batch.output.transactions }
  const one = v.safeParse(TransactionSchema, args)
  return one.success ? { kind, transactions: [one.output] } : undefined
}

/** Things to sign in one call. */
export function countRequests(call: WalletCall): number {
  return call.kind === 'eip712' ? 1 : call.transactions.length
}

const ADDRESS = { type: 'string', description: 'An address: 0x and 40 hexadecimal digits' }
const TRANSACTION = {
  type: 'object',
  properties: {
    to: ADDRESS,
    value: { type: 'string', description: 'Wei, decimal' },
    data: { type: 'string', description: 'Call data: 0x and hexadecimal digits' },
    chain_id: { type: 'integer' },
    label: { type: 'string', description: 'What it does, in a few words for the person' },
  },
  required: ['to'],
}

/** The arguments of a wallet's tool where its App says nothing of them. */
export const WALLET_PARAMETERS: Readonly<Record<WalletKind, Readonly<Record<string, unknown>>>> = {
  transaction: {
    type: 'object',
    properties: {
      transactions: {
        type: 'array',
        items: TRANSACTION,
        description: 'In their order; the wallet sends them together',
      },
    },
    required: ['transactions'],
  },
  eip712: {
    type: 'object',
    properties: {
      typed_data: { type: 'object', description: 'EIP-712: types, primaryType, domain, message' },
      description: { type: 'string', description: 'What is signed, in a few words for the person' },
    },
    required: ['typed_data'],
  },
}
