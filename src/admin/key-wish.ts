import * as v from 'valibot'
import { DEFAULT_ACCOUNT } from '../ports/accounts.ts'
import type { KeyWish } from '../ports/admin.ts'
import type { Scope } from '../ports/keys.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AppIdSchema } from '../protocol/ids.ts'

const SCOPES = ['read', 'write', 'delete', 'admin', 'operator'] as const
/** What a chat needs. A publishable key is everybody's: it never gets more than this. */
const CHAT_SCOPES: readonly Scope[] = ['read', 'write', 'delete']
/** Entries of an allow-list: a few offices and data centres; each is compared at every handshake. */
const MAX_ADDRESSES = 100
/** Sites of one owner; each is compared at every handshake. */
const MAX_ORIGINS = 100
/** Apps of one key. */
const MAX_APPS = 100
/** Milliseconds: ten years. What is to live longer does not expire. */
const MAX_LIFETIME = 315_360_000_000
const NAME = /^[^\p{Cc}\p{Cs}]{1,100}$/u

/** A label, or the name of an account. */
export function isName(text: string): boolean {
  return NAME.test(text)
}

/** A wish that can be stored: lists without doubles, networks as they are compared. */
export type CheckedWish = KeyWish & { readonly account: string }

/** Throws `invalid_value` that begins with the field. `plainNetwork`: an address or a network as it is stored. */
export function checkWish(wish: KeyWish, plainNetwork: (text: string) => string | undefined): CheckedWish {
  const isOperator = wish.scopes.includes('operator')
  checkScopes(wish, isOperator)
  checkApps(wish, isOperator)
  checkOrigins(wish)
  const { lifetime } = wish
  checkLifetime(lifetime)
  const label = wish.label?.trim()
  const account = wish.account?.trim() ?? DEFAULT_ACCOUNT
  for (const [field, name] of Object.entries({ label, account }))
    if (name !== undefined && !isName(name)) throw fault(field, '1 to 100 characters on one line')
  return {
    kind: wish.kind,
    account,
    apps: [...new Set(wish.apps)],
    scopes: wish.scopes.length === 0 ? CHAT_SCOPES : SCOPES.filter((scope) => wish.scopes.includes(scope)),
    origins: [...new Set(wish.origins.map((origin) => origin.toLowerCase()))],
    addresses: readNetworks(wish.addresses, plainNetwork),
    ...(label === undefined ? {} : { label }),
    ...(lifetime === undefined ? {} : { lifetime }),
  }
}

export function checkLifetime(ms: number | undefined): void {
  if (ms !== undefined && !(ms > 0 && ms <= MAX_LIFETIME))
    throw fault('lifetime', 'more than nothing, ten years at most')
}

/** Throws `invalid_value`; 0: the old key ends at once. */
export function checkOverlap(ms: number): void {
  if (!(ms >= 0 && ms <= MAX_LIFETIME)) throw fault('overlap', 'ten years at most')
}

function checkScopes({ kind, scopes }: KeyWish, isOperator: boolean): void {
  if (kind === 'publishable' && scopes.some((scope) => !CHAT_SCOPES.includes(scope)))
    throw fault('scopes', 'a publishable key is everybody’s and gets no admin')
  if (isOperator && scopes.length > 1) throw fault('scopes', 'a key of the operator has no other')
}

function checkApps({ apps }: KeyWish, isOperator: boolean): void {
  if (isOperator && apps.length > 0) throw fault('apps', 'a key of the operator opens none')
  if (!isOperator && apps.length === 0) throw fault('apps', 'name at least one App')
  if (apps.length > MAX_APPS) throw fault('apps', `at most ${MAX_APPS}`)
  if (!apps.every((app) => v.is(AppIdSchema, app))) throw fault('apps', 'names of Apps')
}

function checkOrigins({ kind, origins }: KeyWish): void {
  const wrong = origins.find((origin) => !isWebOrigin(origin))
  if (wrong !== undefined) throw fault('origins', `${wrong} is no origin such as https://www.example.com`)
  if (origins.length > MAX_ORIGINS) throw fault('origins', `at most ${MAX_ORIGINS}`)
  if (kind === 'publishable' && origins.length === 0)
    throw fault('origins', 'a publishable key needs the sites that may use it')
  if (kind === 'secret' && origins.length > 0) throw fault('origins', 'a secret key is not for browsers')
}

function readNetworks(texts: readonly string[], plain: (text: string) => string | undefined): readonly string[] {
  if (texts.length > MAX_ADDRESSES) throw fault('addresses', `at most ${MAX_ADDRESSES}; a network covers many`)
  const networks = texts.map((text) => {
    const network = plain(text)
    if (network === undefined) throw fault('addresses', `${text} is no address or network such as 203.0.113.0/24`)
    return network
  })
  return [...new Set(networks)]
}

function fault(field: string, what: string): ParleyError {
  return new ParleyError('invalid_value', { message: `${field}: ${what}` })
}

/** True for a scheme, host and, when it is not the usual one, port; as browsers send it in Origin. A wildcard would match nothing. */
export function isWebOrigin(text: string): boolean {
  if (!URL.canParse(text) || text.includes('*')) return false
  const { protocol, origin } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && origin === text.toLowerCase()
}
