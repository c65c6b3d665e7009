import { once } from 'node:events'
import * as v from 'valibot'
import type { ExportLine, SessionExports, SessionFilter } from '../ports/privacy.ts'
import { ParleyError } from '../protocol/errors.ts'
import { SessionIdSchema } from '../protocol/ids.ts'
import { AT_HOST } from './admin-of.ts'
import {
  actionOf,
  type CliConversations,
  type CliIo,
  type Command,
  type OpenStore,
  plain,
  printTable,
  readArgs,
  shortTime,
  UsageError,
  withStore,
} from './command.ts'
import { confirm, sessionsOf } from './confirm.ts'
import { noteMissing } from './stored-apps.ts'

/** Sessions in a list when nobody says how many, and at most. */
const DEFAULT_LIMIT = '50'
const MAX_LIMIT = 10_000
/** Ids in one command. */
const MAX_IDS = 1000
/** UTF-16 units of a title in a list. */
const SHOWN_TITLE = 60

const WHICH = { app: { type: 'string' }, account: { type: 'string' }, user: { type: 'string' } } as const

const HEADING = ['ID', 'ACCOUNT', 'USER', 'STATUS', 'CHANGED', 'TITLE']

type Open = OpenStore<CliConversations>

export function sessionsCommand(open: Open): Command {
  const actions = { list, show, export: exportAll, delete: remove }
  return {
    usage: [
      `sessions list --app APP [--account NAME] [--user USER] [--limit ${DEFAULT_LIMIT}]`,
      'sessions show ID',
      'sessions export --app APP [--account NAME] [--user USER] > FILE.jsonl',
      'sessions export --session ID > FILE.jsonl',
      'sessions delete ID... [--yes]',
    ],
    about: 'Sessions: list them, read one, export them as JSON Lines, delete them',
    async run([name = '', ...rest], io) {
      await actionOf(actions, name)(open, io, rest)
    },
  }
}

async function list(open: Open, io: CliIo, args: readonly string[]): Promise<void> {
  const { values } = readArgs(args, { ...WHICH, limit: { type: 'string', default: DEFAULT_LIMIT } }, 0)
  const { limit, ...filter } = values
  const { app } = filter
  if (app === undefined) throw new UsageError('--app is missing')
  const most = /^[1-9]\d{0,4}$/.test(limit) ? Number(limit) : Number.NaN
  if (!(most <= MAX_LIMIT)) throw new UsageError(`--limit: 1 to ${MAX_LIMIT}`)
  await withStore(open, io, async ({ privacy, apps }) => {
    await noteMissing(apps, io, app)
    const rows = await privacy.listSessions(filter, most)
    const lines = rows.map(({ id, account = '-', user = '-', status, updatedAt, title = '' }) => {
      return [id, account, user, status, shortTime(updatedAt), title.slice(0, SHOWN_TITLE)]
    })
    const such = filter.account === undefined && filter.user === undefined ? '' : 'such '
    printTable(io, HEADING, lines, `App ${plain(app)} has no ${such}sessions`)
    if (rows.length === most)
      io.err(`These changed last; there may be more: --limit N shows up to ${MAX_LIMIT}, sessions export all`)
  })
}

/** For reading; what stands in history, and what does not. */
async function show(open: Open, io: CliIo, args: readonly string[]): Promise<void> {
  const session = readId(readArgs(args, {}, 1).positionals[0])
  await withStore(open, io, ({ privacy, audit }) =>
    audit.noted(AT_HOST, 'session.read', session, async () => {
      let found = false
      for await (const line of privacy.exportSessions({ session })) {
        found ||= line.type === 'session'
        for (const text of describe(line)) io.out(text)
      }
      if (!found) throw noSuchSession(session)
    }),
  )
}

function describe(line: ExportLine): string[] {
  if (line.type === 'session') {
    const { id, app, account = '-', user = '-', status, title = '', wallet, createdAt, updatedAt } = line
    const bound = wallet === undefined ? [] : [`wallet   ${plain(wallet.address)} on ${plain(wallet.chain)}`]
    const owner = `App ${app}, account ${account}, user ${plain(user)}`
    return [`session  ${id}`, `title    ${plain(title)}`, `of       ${owner}`, ...bound, `status   ${status}`].concat(
      `time     ${createdAt} to ${updatedAt}`,
    )
  }
  if (line.type === 'run') {
    const note = line.superseded === true ? ', replaced by a later one' : ''
    return ['', `run ${line.id}: ${line.status}${note}, ${line.startedAt ?? line.queuedAt}`]
  }
  if (line.type === 'end') return []
  const { role, content, toolCalls = [], interrupted } = line
  const calls = toolCalls.map(({ name, arguments: given }) => `  calls ${plain(name)} ${plain(given)}`)
  const text = content.split('\n').map((one) => `  ${plain(one)}`)
  return [`${role}${interrupted === true ? ' (interrupted)' : ''}:`, ...(content === '' ? [] : text), ...calls]
}

/** Line by line, no faster than they are taken: whatever there is, little of it is in memory. */
async function exportAll(open: Open, io: CliIo, args: readonly string[]): Promise<void> {
  const { values } = readArgs(args, { ...WHICH, session: { type: 'string' } }, 0)
  const { session, ...which } = values
  if (which.app === undefined && session === undefined) throw new UsageError('--app or --session is missing')
  const filter: SessionFilter = { ...which, ...(session === undefined ? {} : { session: readId(session) }) }
  // Who reads may leave; the write that is on then says so.
  io.output.on('error', () => undefined)
  await withStore(open, io, async ({ privacy, apps, audit }) => {
    await noteMissing(apps, io, which.app)
    const target = session ?? which.app ?? ''
    return audit.noted(AT_HOST, 'session.export', target, () => write(privacy, filter, io))
  })
}

async function write(privacy: SessionExports, filter: SessionFilter, io: CliIo): Promise<void> {
  const { session } = filter
  for await (const line of privacy.exportSessions(filter)) {
    if (session !== undefined && line.type === 'end' && line.sessions === 0) throw noSuchSession(session)
    if (!io.output.writable) throw new Error('nobody reads the export')
    if (!io.output.write(`${JSON.stringify(line)}\n`)) await once(io.output, 'drain')
    if (line.type === 'end') await new Promise((resolve) => io.output.write('', resolve))
    if (line.type === 'end') io.err(`${sessionsOf(line.sessions)}, ${line.runs} runs, ${line.messages} messages`)
  }
}

async function remove(open: Open, io: CliIo, args: readonly string[]): Promise<void> {
  const { values, positionals } = readArgs(args, { yes: { type: 'boolean', default: false } }, [1, MAX_IDS])
  const ids = positionals.map(readId)
  await withStore(open, io, async ({ sessions, audit }) => {
    await confirm(io, `Delete ${sessionsOf(ids.length)}?`, values.yes)
    const missing: string[] = []
    for (const id of ids) {
      const deleted = await audit.noted(AT_HOST, 'session.delete', id, () => sessions.delete(id))
      if (!deleted) missing.push(id)
    }
    io.out(`${sessionsOf(ids.length - missing.length)} deleted; running servers have dropped them within a second`)
    const [first] = missing
    if (first !== undefined) throw noSuchSession(missing.length > 1 ? `${first} and ${missing.length - 1} more` : first)
  })
}

function readId(text: string | undefined): string {
  if (!v.is(SessionIdSchema, text)) throw new UsageError('a session id is a UUID, as parley sessions list shows it')
  return text
}

function noSuchSession(id: string): ParleyError {
  return new ParleyError('session_not_found', { message: `There is no session ${id}` })
}
