import { plainNetwork } from '../access/networks.ts'
import { checkWish } from '../admin/key-wish.ts'
import { parseDuration } from '../config.ts'
import type { KeyWish } from '../ports/admin.ts'
import type { KeyKind, Scope } from '../ports/keys.ts'
import { ParleyError } from '../protocol/errors.ts'
import { readArgs, UsageError } from './command.ts'

const SCOPES: readonly Scope[] = ['read', 'write', 'delete', 'admin']

const CREATE_OPTIONS = {
  app: { type: 'string', multiple: true },
  operator: { type: 'boolean', default: false },
  kind: { type: 'string', default: 'secret' },
  origin: { type: 'string', multiple: true },
  ip: { type: 'string', multiple: true },
  label: { type: 'string' },
  scope: { type: 'string', multiple: true },
  scopes: { type: 'string', multiple: true },
  expires: { type: 'string' },
  account: { type: 'string' },
} as const

/** How the command line calls what a wish holds. */
const OPTIONS: Readonly<Record<string, string>> = {
  account: '--account',
  addresses: '--ip',
  apps: '--app',
  label: '--label',
  lifetime: '--expires',
  origins: '--origin',
  scopes: '--scopes',
}

/** Reads the words after `keys create`; throws UsageError. */
export function readWish(args: readonly string[]): KeyWish {
  const { values } = readArgs(args, CREATE_OPTIONS, 0)
  const { label, account, operator } = values
  const wish: KeyWish = {
    kind: readKind(values.kind),
    apps: words(values.app),
    scopes: readScopes(words([...(values.scope ?? []), ...(values.scopes ?? [])]), operator),
    origins: words(values.origin),
    addresses: words(values.ip),
    ...(account === undefined ? {} : { account }),
    ...(label === undefined ? {} : { label }),
    ...(values.expires === undefined ? {} : { lifetime: readTime(values.expires, '--expires') }),
  }
  try {
    return checkWish(wish, plainNetwork)
  } catch (thrown) {
    throw thrown instanceof ParleyError ? new UsageError(renamed(thrown.message)) : thrown
  }
}

/** `origins: …` -> `--origin: …`. */
function renamed(message: string): string {
  return message.replace(/^\w+/, (field) => OPTIONS[field] ?? field)
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

function readScopes(names: readonly string[], operator: boolean): readonly Scope[] {
  const scopes = SCOPES.filter((scope) => names.includes(scope))
  if (scopes.length !== names.length) throw new UsageError(`--scopes: of ${SCOPES.join(', ')}`)
  return operator ? [...scopes, 'operator'] : scopes
}

/** `12h`, `90d` -> milliseconds. */
export function readTime(text: string, option: string): number {
  const ms = parseDuration(text)
  if (Number.isNaN(ms) || ms <= 0) throw new UsageError(`${option}: a time such as 12h or 90d`)
  return ms
}
