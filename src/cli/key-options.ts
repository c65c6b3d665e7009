import * as v from 'valibot'
import { plainNetwork } from '../access/networks.ts'
import { isWebOrigin, parseDuration } from '../config.ts'
import type { KeyKind, KeyRow, Scope } from '../ports/keys.ts'
import { AppIdSchema } from '../protocol/ids.ts'
import { readArgs, UsageError } from './command.ts'

/** The account of keys when nobody names one: a server of one owner needs no more. */
export const DEFAULT_ACCOUNT = 'default'
const SCOPES = ['read', 'write', 'delete', 'admin'] as const
/** What a chat needs. A publishable key is everybody's: it never gets more than this. */
const CHAT_SCOPES: readonly Scope[] = ['read', 'write', 'delete']
/** Entries of an allow-list: a few offices and data centres; each is compared at every handshake. */
const MAX_ADDRESSES = 100

const CREATE_OPTIONS = {
  app: { type: 'string', multiple: true },
  kind: { type: 'string', default: 'secret' },
  origin: { type: 'string', multiple: true },
  ip: { type: 'string', multiple: true },
  label: { type: 'string' },
  scope: { type: 'string', multiple: true },
  scopes: { type: 'string', multiple: true },
  expires: { type: 'string' },
  account: { type: 'string', default: DEFAULT_ACCOUNT },
} as const

/** What a person asks of a new key. */
type Wish = Omit<KeyRow, 'id' | 'hash' | 'createdAt' | 'revokedAt' | 'lastUsedAt'>

/** Reads the words after `keys create`; throws UsageError. */
export function readWish(args: readonly string[], now: number): Wish {
  const { values } = readArgs(args, CREATE_OPTIONS, 0)
  const kind = readKind(values.kind)
  const origins = words(values.origin)
  checkOrigins(kind, origins)
  const { label } = values
  const expiresAt = values.expires === undefined ? undefined : now + readTime(values.expires, '--expires')
  return {
    account: readName(values.account, '--account'),
    kind,
    apps: readApps(words(values.app)),
    scopes: readScopes(kind, words([...(values.scope ?? []), ...(values.scopes ?? [])])),
    origins: origins.map((origin) => origin.toLowerCase()),
    addresses: readAddresses(words(values.ip)),
    ...(label === undefined ? {} : { label: readName(label, '--label') }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

/** `--app a,b --app c` -> a, b, c. */
function words(values: readonly string[] | undefined): string[] {
  const all = (values ?? []).flatMap((value) => value.split(',')).map((word) => word.trim())
  return [...new Set(all.filter((word) => word !== ''))]
}

function readKind(text: string): KeyKind {
  if (text === 'secret' || text === 'publishable') return text
  throw new UsageError('--kind: secret or publishable')
}

function readApps(apps: readonly string[]): readonly string[] {
  if (apps.length === 0) throw new UsageError('--app: name at least one App')
  if (!apps.every((app) => v.is(AppIdSchema, app))) throw new UsageError('--app: names of Apps, separated by commas')
  return apps
}

function readScopes(kind: KeyKind, names: readonly string[]): readonly Scope[] {
  if (names.length === 0) return CHAT_SCOPES
  const scopes = SCOPES.filter((scope) => names.includes(scope))
  if (scopes.length !== names.length) throw new UsageError(`--scopes: of ${SCOPES.join(', ')}`)
  if (kind === 'publishable' && scopes.includes('admin')) {
    throw new UsageError('--scopes: a publishable key is everybody’s and gets no admin')
  }
  return scopes
}

function checkOrigins(kind: KeyKind, origins: readonly string[]): void {
  const wrong = origins.find((origin) => !isWebOrigin(origin))
  if (wrong !== undefined) throw new UsageError(`--origin: ${wrong} is no origin such as https://www.example.com`)
  if (kind === 'publishable' && origins.length === 0) {
    throw new UsageError('--origin: a publishable key needs the sites that may use it')
  }
  if (kind === 'secret' && origins.length > 0) throw new UsageError('--origin: a secret key is not for browsers')
}

/** `12h`, `90d` -> milliseconds. */
export function readTime(text: string, option: string): number {
  const ms = parseDuration(text)
  if (Number.isNaN(ms) || ms <= 0) throw new UsageError(`${option}: a time such as 12h or 90d`)
  return ms
}

function readAddresses(texts: readonly string[]): readonly string[] {
  if (texts.length > MAX_ADDRESSES) throw new UsageError(`--ip: at most ${MAX_ADDRESSES}; a network covers many`)
  const networks = texts.map((text) => {
    const network = plainNetwork(text)
    if (network === undefined) throw new UsageError(`--ip: ${text} is no address or network such as 203.0.113.0/24`)
    return network
  })
  return [...new Set(networks)]
}

const NAME = /^[^\p{Cc}\p{Cs}]{1,100}$/u

function readName(text: string, option: string): string {
  if (NAME.test(text.trim())) return text.trim()
  throw new UsageError(`${option}: 1 to 100 characters on one line`)
}
