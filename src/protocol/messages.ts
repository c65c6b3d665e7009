import * as v from 'valibot'
import { isBlank, isStorable } from './text.ts'

/** Text from a client: no NUL, no lone surrogate (Postgres takes neither). */
export const StorableText = v.pipe(v.string(), v.check(isStorable, 'must not hold NUL or lone surrogates'))

/** What a message of ours carries beside AG-UI's fields. Times are ISO 8601. */
export const MessageMetadataSchema = v.object({
  runId: v.string(),
  createdAt: v.string(),
  /** The run ended by cancel, crash or drain before this message was whole. */
  interrupted: v.optional(v.literal(true)),
  /** The content was cut for the wire. */
  truncated: v.optional(v.literal(true)),
})

const ToolCallSchema = v.object({
  id: v.string(),
  type: v.literal('function'),
  function: v.object({ name: v.string(), arguments: v.string() }),
})

/** A durable item of the conversation, in AG-UI 1.0's shape. */
export const MessageSchema = v.variant('role', [
  v.object({ id: v.string(), role: v.literal('user'), content: v.string(), metadata: MessageMetadataSchema }),
  v.object({
    id: v.string(),
    role: v.literal('assistant'),
    content: v.optional(v.string()),
    toolCalls: v.optional(v.array(ToolCallSchema)),
    metadata: MessageMetadataSchema,
  }),
  v.object({
    id: v.string(),
    role: v.literal('tool'),
    toolCallId: v.string(),
    content: v.string(),
    error: v.optional(v.string()),
    metadata: MessageMetadataSchema,
  }),
  v.object({ id: v.string(), role: v.literal('reasoning'), content: v.string(), metadata: MessageMetadataSchema }),
])

export type Message = v.InferOutput<typeof MessageSchema>
export type ToolCall = v.InferOutput<typeof ToolCallSchema>

const TextPart = v.object({ type: v.literal('text'), text: StorableText })

/** What a person may send: a string or AG-UI parts, of which v1 accepts text. Comes out as one string. */
export const UserContentSchema = v.pipe(
  v.union([StorableText, v.pipe(v.array(TextPart), v.minLength(1))], 'must be a string or an array of text parts'),
  v.transform((content) => (typeof content === 'string' ? content : content.map((part) => part.text).join(''))),
  v.check((content) => !isBlank(content), 'must not be empty'),
)

/** A person's wallet, as the client states it. */
export const WalletSchema = v.object({
  address: v.pipe(StorableText, v.regex(/^[A-Za-z0-9._:-]{1,128}$/, 'must be a wallet address')),
  chain: v.pipe(
    v.union([v.string(), v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.transform(String))]),
    v.regex(/^[A-Za-z0-9._:-]{1,64}$/, 'must be a chain id or name'),
  ),
})
export type Wallet = v.InferOutput<typeof WalletSchema>
