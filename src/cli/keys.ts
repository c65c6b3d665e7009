import * as v from 'valibot'
import { mintKey } from '../access/keys.ts'
import { isWebOrigin, parseDuration } from '../config.ts'
import type { KeyKind, KeyRow, Scope } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AppIdSchema } from '../protocol/ids.ts'
import {
  type CliIo,
  type CliStore,
  type Command,
  type OpenStore,
  readArgs,
  shortTime,
  table,
  UsageError,
  withStore,
} from './command.ts'

/** The account of keys when nobody names one: a server of one owner needs no more. */
const DEFAULT_ACCOUNT = 'default'
const SCOPES = ['read', 'write', 'delete', 'admin'] as const
/** What a chat needs. A publishable key is everybody's: it never gets more than this. */
const CHAT_SCOPES: readonly Scope[] = ['read', 'write', 'delete']

export function keysCommand(open: OpenStore): Command {
  return {
    usage: [
      'keys create --app A[,B] [--kind secret|publishable] [--origin https://SITE]... [--label TEXT]',
      '            [--scope read,write,delete,admin] [--expires 90d] [--account NAME]',
      'keys list',
      'keys revoke ID',
    ],
    about: 'Keys: what lets servers and sites use Apps',
    async run([action, ...rest], io) {
      if (action === 'create') await create(rest, io, open)
      else if (action === 'list') await list(rest, io, open)
      else if (action === 'revoke') await revoke(rest, io, open)
      else throw new UsageError('which of create, list, revoke?')
    },
  }
}

const CREATE_OPTIONS = {
  app: { type: 'string', multiple: true },
  kind: { type: 'string', default: 'secret' },
  origin: { type: 'string', multiple: true },
  label: { type: 'string' },
  scope: { type: 'string', multiple: true },
  expires: { type: 'string' },
  account: { type: 'string', default: DEFAULT_ACCOUNT },
} as const

function explainMissingApp(thrown: unknown): never {
  if (!(thrown instanceof ParleyError) || thrown.code !== 'app_not_found') throw thrown
  const message = 'Not every App that --app names is stored; parley apps put FILE stores one'
  throw new ParleyError('app_not_found', { message, cause: thrown })
}

type Wish = Omit<KeyRow, 'id' | 'hash' | 'createdAt' | 'revokedAt' | 'lastUsedAt'>

async function create(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  const now = Date.now()
  const wish = readWish(args, now)
  const minted = await mintKey(wish.kind)
  const row = { ...wish, id: minted.id, hash: minted.hash, createdAt: now }
  await withStore(open, io, ({ keys }) => keys.createKey(row).catch(explainMissingApp))
  io.err(`Key ${minted.id} (${wish.kind}) for ${wish.apps.join(', ')}. It is shown once and cannot be shown again:`)
  io.out(minted.key)
}

function readWish(args: readonly string[], now: number): Wish {
  const { values } = readArgs(args, CREATE_OPTIONS, 0)
  const kind = readKind(values.kind)
  const origins = words(values.origin)
  checkOrigins(kind, origins)
  const { label } = values
  const expiresAt = values.expires === undefined ? undefined : now + readLifetime(values.expires)
  return {
    account: readName(values.account, '--account'),
    kind,
    apps: readApps(words(values.app)),
    scopes: readScopes(kind, words(values.scope)),
    origins: origins.map((origin) => origin.toLowerCase()),
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
  if (scopes.length !== names.length) throw new UsageError(`--scope: of ${SCOPES.join(', ')}`)
  if (kind === 'publishable' && scopes.includes('admin')) {
    throw new UsageError('--scope: a publishable key is everybody’s and gets no admin')
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

function readLifetime(text: string): number {
  const ms = parseDuration(text)
  if (Number.isNaN(ms) || ms <= 0) throw new UsageError('--expires: a time such as 12h or 90d')
  return ms
}

const NAME = /^[^\p{Cc}\p{Cs}]{1,100}$/u

function readName(text: string, option: string): string {
  if (NAME.test(text.trim())) return text.trim()
  throw new UsageError(`${option}: 1 to 100 characters on one line`)
}

async function list(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  readArgs(args, {}, 0)
  const read = async ({ keys }: CliStore) => {
    const rows = await keys.listKeys()
    if (rows.length === 0) io.err('There is no key')
    else for (const line of table([HEADING, ...rows.map((row) => describe(row, Date.now()))])) io.out(line)
  }
  await withStore(open, io, read)
}

const HEADING = ['ID', 'KIND', 'STATE', 'APPS', 'SCOPES', 'ACCOUNT', 'CREATED', 'EXPIRES', 'LAST USED', 'LABEL']

/** Never the hash. */
function describe(row: KeyRow, now: number): string[] {
  const expired = row.expiresAt !== undefined && now >= row.expiresAt
  return [
    row.id,
    row.kind,
    row.revokedAt !== undefined ? 'revoked' : expired ? 'expired' : 'live',
    row.apps.join(','),
    row.scopes.join(','),
    row.account,
    shortTime(row.createdAt),
    shortTime(row.expiresAt),
    shortTime(row.lastUsedAt),
    [row.label ?? '', ...row.origins].join(' ').trim(),
  ]
}

async function revoke(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  const { positionals } = readArgs(args, {}, 1)
  const id = readKeyId(positionals[0] ?? '')
  await withStore(open, io, async ({ keys }) => {
    const existed = await keys.revokeKey(id, Date.now())
    if (!existed) throw new ParleyError('not_found', { message: `There is no key ${id}` })
    io.out(`Key ${id} is revoked; its connections close within a second`)
  })
}

/** The id, or a whole key that someone pasted: its id is in it. */
function readKeyId(text: string): string {
  return /^[sp]k_live_([0-9A-Za-z]+)_/.exec(text)?.[1] ?? text
}
