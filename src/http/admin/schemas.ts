import * as v from 'valibot'
import { AppIdSchema, SessionIdSchema } from '../../protocol/ids.ts'
import { MUST_BE_DATE } from '../../protocol/in-words.ts'
import { MAX_PAGE_MESSAGES } from '../../protocol/limits.ts'
import { UserSchema } from '../admit.ts'

/** Rows of a list when nobody says how many, and at most. */
const [DEFAULT_LIMIT, MAX_LIMIT] = ['50', 200]
/** Characters: ids of keys and Apps, and names of accounts, are shorter. */
const MAX_ID = 100

const line = (max: number) =>
  v.pipe(v.string(), v.minLength(1), v.maxLength(max), v.regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must be one line'))
const Id = line(MAX_ID)
const Digits = v.pipe(v.string(), v.regex(/^\d{1,4}$/, 'must be a number'), v.transform(Number))
const limit = (max: number) => v.optional(v.pipe(Digits, v.minValue(1), v.maxValue(max)), DEFAULT_LIMIT)

export const AppParam = v.strictObject({ app: AppIdSchema })
export const AccountParam = v.strictObject({ account: Id })
/** Its id: a whole key would be noted in the audit trail. */
const KeyId = v.pipe(Id, v.regex(/^[0-9A-Za-z-]*$/, 'must be the id of a key, not the key'))
export const KeyParam = v.strictObject({ key: KeyId })
export const SessionParam = v.strictObject({ session: SessionIdSchema })

export const PageQuery = v.strictObject({ limit: limit(MAX_LIMIT), after: v.optional(Id) })
export const PutQuery = v.strictObject({ account: v.optional(Id) })
export const NoQuery = v.strictObject({})
export const ActsQuery = v.strictObject({
  limit: limit(MAX_LIMIT),
  before: v.optional(v.pipe(v.string(), v.regex(/^\d{1,18}$/, 'must be the id of an act'))),
})

const PLACE = /^(\d{1,15})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/
export const SessionsQuery = v.strictObject({
  app: v.optional(AppIdSchema),
  account: v.optional(Id),
  user: v.optional(UserSchema),
  limit: limit(MAX_LIMIT),
  /** `next` of the page before. */
  before: v.optional(
    v.pipe(
      v.string(),
      v.regex(PLACE, 'must be the next of another page'),
      v.transform((text) => {
        const [, updatedAt = '', id = ''] = PLACE.exec(text) ?? []
        return { updatedAt: Number(updatedAt), id }
      }),
    ),
  ),
})
/** As ids of messages come from clients and from the server. */
const MAX_MESSAGE_ID = 200
export const MessagesQuery = v.strictObject({
  limit: limit(MAX_PAGE_MESSAGES),
  before: v.optional(line(MAX_MESSAGE_ID)),
})
const Day = v.pipe(
  v.string(),
  v.isoDate(),
  v.transform((text) => Date.parse(text)),
  v.check((time) => Number.isFinite(time), MUST_BE_DATE),
)
export const UsageQuery = v.strictObject({
  app: v.optional(AppIdSchema),
  account: v.optional(Id),
  from: v.optional(Day),
  to: v.optional(Day),
})

/** Seconds: ten years. */
const MAX_SECONDS = 315_360_000
/** Seconds: a day, as the command line's. */
const DEFAULT_OVERLAP = 86_400
/** Seconds that two keys may go on side by side: a quarter. */
const MAX_OVERLAP = 7_776_000
/** Items of a list in a body; what a list may really hold is checked with its meaning. */
const MAX_ITEMS = 100
const MAX_TEXT = 300
const Seconds = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_SECONDS))
const texts = () => v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_TEXT))), v.maxLength(MAX_ITEMS)), [])
const Scope = v.picklist(['read', 'write', 'delete', 'admin'])
const Kind = v.picklist(['secret', 'publishable'])

export const KeyBody = v.strictObject({
  apps: v.pipe(v.array(AppIdSchema), v.minLength(1), v.maxLength(MAX_ITEMS)),
  kind: v.optional(Kind, 'secret'),
  scopes: v.optional(v.pipe(v.array(Scope), v.maxLength(MAX_ITEMS)), []),
  origins: texts(),
  addresses: texts(),
  label: v.optional(v.pipe(v.string(), v.maxLength(MAX_TEXT))),
  account: v.optional(Id),
  expiresInSeconds: v.optional(Seconds),
})
export const RotateBody = v.strictObject({
  overlapSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_OVERLAP)), DEFAULT_OVERLAP),
  expiresInSeconds: v.optional(Seconds),
})
/** Which plans there are is the server's configuration. */
export const AccountBody = v.strictObject({ plan: v.pipe(v.string(), v.maxLength(MAX_ID)) })
/** What a definition holds is checked where it is read. */
export const DefinitionBody = v.looseObject({ id: AppIdSchema })
