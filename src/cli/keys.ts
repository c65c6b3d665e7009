import { type KeyRow, keyState } from '../ports/keys.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AT_HOST } from './admin-of.ts'
import {
  actionOf,
  type CliIo,
  type Command,
  type OpenStore,
  printTable,
  readArgs,
  shortTime,
  withStore,
} from './command.ts'
import { readTime, readWish } from './key-options.ts'

/** Long enough to put the new key in place everywhere; short enough that a lost one does not live on. */
const DEFAULT_OVERLAP = '24h'

export function keysCommand(open: OpenStore): Command {
  const actions = { create, list, rotate, revoke }
  return {
    usage: [
      'keys create --app A[,B] [--kind secret|publishable] [--origin https://SITE]... [--ip ADDRESS|NETWORK]...',
      '            [--scopes read,write,delete,admin] [--expires 90d] [--label TEXT] [--account NAME]',
      'keys create --operator [--ip ADDRESS|NETWORK]... [--expires 90d] [--label TEXT]',
      'keys list',
      `keys rotate ID [--overlap ${DEFAULT_OVERLAP}] [--expires 90d]`,
      'keys revoke ID',
    ],
    about: 'Keys: what lets servers and sites use Apps',
    async run([action = '', ...rest], io) {
      await actionOf(actions, action)(rest, io, open)
    },
  }
}

async function create(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  const wish = readWish(args)
  await withStore(open, io, async ({ admin }) => {
    const { key, facts } = await admin.createKey(AT_HOST, wish).catch(tellHowToStore)
    const what = facts.scopes.includes('operator') ? "operator's" : facts.kind
    const apps = facts.apps.length === 0 ? 'the whole server' : facts.apps.join(', ')
    io.err(`Key ${facts.id} (${what}) for ${apps}. It is shown once and cannot be shown again:`)
    io.out(key)
  })
}

function tellHowToStore(thrown: unknown): never {
  if (!(thrown instanceof ParleyError) || thrown.code !== 'app_not_found') throw thrown
  throw new ParleyError('app_not_found', {
    message: `${thrown.message}; parley apps put FILE stores one`,
    cause: thrown,
  })
}

async function list(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  readArgs(args, {}, 0)
  await withStore(open, io, async ({ keys }) => {
    const rows = await keys.listKeys()
    printTable(
      io,
      HEADING,
      rows.map((row) => describe(row, Date.now())),
      'There is no key',
    )
  })
}

const HEADING = ['ID', 'KIND', 'STATE', 'APPS', 'SCOPES', 'ACCOUNT', 'CREATED', 'EXPIRES', 'LAST USED', 'LABEL']

/** Never the hash. */
function describe(row: KeyRow, now: number): string[] {
  return [
    row.id,
    row.kind,
    keyState(row, now),
    row.apps.join(','),
    row.scopes.join(','),
    row.account,
    shortTime(row.createdAt),
    shortTime(row.expiresAt),
    shortTime(row.lastUsedAt),
    [row.label ?? '', ...row.origins, ...row.addresses].join(' ').trim(),
  ]
}

const ROTATE_OPTIONS = {
  overlap: { type: 'string', default: DEFAULT_OVERLAP },
  expires: { type: 'string' },
} as const

/** Both keys work during the overlap, so that nothing stops while the new one is put in place. */
async function rotate(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  const { values, positionals } = readArgs(args, ROTATE_OPTIONS, 1)
  const id = readKeyId(positionals[0] ?? '')
  const overlap = readTime(values.overlap, '--overlap')
  const wanted = values.expires === undefined ? undefined : readTime(values.expires, '--expires')
  await withStore(open, io, async ({ admin }) => {
    const rotation = { overlap, ...(wanted === undefined ? {} : { lifetime: wanted }) }
    const { key, facts, oldUntil } = await admin.rotateKey(AT_HOST, id, rotation)
    const until = shortTime(oldUntil)
    io.err(
      `Key ${facts.id} (${facts.kind}) takes the place of ${id}, which works until ${until} UTC. It is shown once:`,
    )
    io.out(key)
  })
}

async function revoke(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  const { positionals } = readArgs(args, {}, 1)
  const id = readKeyId(positionals[0] ?? '')
  await withStore(open, io, async ({ admin }) => {
    await admin.revokeKey(AT_HOST, id)
    io.out(`Key ${id} is revoked; its connections close within a second`)
  })
}

/** The id, or what someone pasted of a key: its id is in it, before the secret. */
function readKeyId(text: string): string {
  return /(?:[sp]k_live_|^)([0-9A-Za-z]+)(?:_|$)/.exec(text)?.[1] ?? text
}
