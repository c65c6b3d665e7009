import * as v from 'valibot'

const Time = v.pipe(v.string(), v.isoTimestamp())
const Texts = v.array(v.string())
const Next = v.optional(v.string())
const Scope = v.picklist(['read', 'write', 'delete', 'admin', 'operator'])

const AppFacts = v.strictObject({ id: v.string(), account: v.string(), updatedAt: Time })
export const AppsAnswer = v.strictObject({ apps: v.array(AppFacts), next: Next })
export const AppAnswer = v.strictObject({ ...AppFacts.entries, definition: v.looseObject({}) })

export const AccountAnswer = v.strictObject({
  id: v.string(),
  plan: v.optional(v.string()),
  createdAt: Time,
  apps: v.number(),
  keys: v.number(),
})
export const AccountsAnswer = v.strictObject({ accounts: v.array(AccountAnswer), next: Next })

const Key = v.strictObject({
  id: v.string(),
  kind: v.picklist(['secret', 'publishable']),
  state: v.picklist(['live', 'expired', 'revoked']),
  account: v.string(),
  label: v.optional(v.string()),
  apps: Texts,
  scopes: v.array(Scope),
  origins: Texts,
  addresses: Texts,
  createdAt: Time,
  expiresAt: v.optional(Time),
  revokedAt: v.optional(Time),
  lastUsedAt: v.optional(Time),
  successor: v.optional(v.string()),
})
export type KeyJson = v.InferOutput<typeof Key>
export const KeysAnswer = v.strictObject({ keys: v.array(Key), next: Next })
/** `secret` is the key itself, which is shown this once. */
export const NewKeyAnswer = v.strictObject({ secret: v.string(), key: Key })
export const RotatedAnswer = v.strictObject({ ...NewKeyAnswer.entries, oldUntil: Time })

const Session = v.strictObject({
  id: v.string(),
  app: v.string(),
  account: v.optional(v.string()),
  user: v.optional(v.string()),
  status: v.picklist(['idle', 'processing', 'interrupted']),
  title: v.optional(v.string()),
  model: v.optional(v.string()),
  archived: v.optional(v.boolean()),
  createdAt: Time,
  updatedAt: Time,
})
export type SessionJson = v.InferOutput<typeof Session>
const Message = v.strictObject({
  id: v.string(),
  runId: v.string(),
  role: v.picklist(['user', 'assistant', 'tool', 'reasoning']),
  content: v.string(),
  toolCalls: v.optional(v.array(v.strictObject({ id: v.string(), name: v.string(), arguments: v.string() }))),
  toolCallId: v.optional(v.string()),
  isError: v.optional(v.boolean()),
  interrupted: v.optional(v.boolean()),
  createdAt: Time,
})
export type MessageJson = v.InferOutput<typeof Message>
export const SessionsAnswer = v.strictObject({ sessions: v.array(Session), next: Next })
export const SessionAnswer = v.strictObject({ session: Session, messages: v.array(Message), hasMore: v.boolean() })

export const UsageAnswer = v.strictObject({
  from: v.string(),
  to: v.string(),
  days: v.array(
    v.strictObject({
      day: v.string(),
      account: v.optional(v.string()),
      app: v.string(),
      key: v.optional(v.string()),
      runs: v.number(),
      inputTokens: v.number(),
      outputTokens: v.number(),
      cachedInputTokens: v.number(),
    }),
  ),
})

export const ActsAnswer = v.strictObject({
  acts: v.array(
    v.strictObject({
      id: v.string(),
      at: Time,
      actor: v.string(),
      account: v.optional(v.string()),
      act: v.string(),
      target: v.string(),
      outcome: v.string(),
      address: v.optional(v.string()),
    }),
  ),
  next: Next,
})
