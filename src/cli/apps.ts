import { isName } from '../admin/key-wish.ts'
import { parseDefinition } from '../apps/definition.ts'
import { appJsonSchema } from '../apps/json-schema.ts'
import { DEFAULT_ACCOUNT } from '../ports/accounts.ts'
import { AT_HOST } from './admin-of.ts'
import {
  type CliIo,
  type CliStore,
  type Command,
  type OpenStore,
  printTable,
  readArgs,
  shortTime,
  UsageError,
  withStore,
} from './command.ts'
import { readDefinition } from './definition-file.ts'

type Action = (store: CliStore, io: CliIo, argument: string, account: string | undefined) => Promise<void>

/** Words besides the action's name, and what it does. */
const ACTIONS: Readonly<Record<string, { readonly words: number; readonly run: Action }>> = {
  put: { words: 1, run: put },
  list: { words: 0, run: list },
  show: { words: 1, run: show },
  delete: { words: 1, run: remove },
}

const HEADING = ['ID', 'NAME', 'MODEL', 'ACCOUNT', 'CHANGED']
const PUT_OPTIONS = { account: { type: 'string' } } as const

export function appsCommand(open: OpenStore): Command {
  return {
    usage: ['apps put FILE [--account NAME]', 'apps list', 'apps show ID', 'apps delete ID', 'apps schema'],
    about: 'Apps: tools, preamble and model of an assistant',
    async run(args, io) {
      const [name = '', ...rest] = args
      // The only one that needs no store.
      if (name === 'schema') return showSchema(rest, io)
      const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
      if (action === undefined) throw new UsageError('which of put, list, show, delete, schema?')
      const { positionals, values } = readArgs(rest, name === 'put' ? PUT_OPTIONS : {}, action.words)
      const account = 'account' in values ? readAccount(values.account) : undefined
      await withStore(open, io, (store) => action.run(store, io, positionals[0] ?? '', account))
    },
  }
}

/** The JSON Schema of a definition file, as docs/app.schema.json has it. */
function showSchema(args: readonly string[], io: CliIo): void {
  readArgs(args, {}, 0)
  io.out(JSON.stringify(appJsonSchema(), undefined, 2))
}

function readAccount(name: unknown): string | undefined {
  if (name === undefined) return undefined
  if (typeof name === 'string' && isName(name)) return name
  throw new UsageError('--account: 1 to 100 characters on one line')
}

async function put({ admin }: CliStore, io: CliIo, file: string, account: string | undefined): Promise<void> {
  const { id } = await admin.putApp(AT_HOST, await readDefinition(file, io), account)
  io.out(`App ${id} is stored; running servers use it within a second`)
}

async function list(store: CliStore, io: CliIo): Promise<void> {
  const rows = await store.apps.listApps()
  const lines = rows.map(({ id, definition, updatedAt, account }) => {
    return [id, ...describe(definition), account ?? DEFAULT_ACCOUNT, shortTime(updatedAt)]
  })
  printTable(io, HEADING, lines, 'No App is stored; the built-in default App answers')
}

/** Name and model. One of another release that cannot be read must not hide the others. */
function describe(definition: unknown): readonly [string, string] {
  try {
    const { name, model } = parseDefinition(definition)
    return [name, model.default]
  } catch {
    return ['(cannot be read)', '-']
  }
}

async function show({ admin }: CliStore, io: CliIo, id: string): Promise<void> {
  const text = JSON.stringify((await admin.app(AT_HOST, id)).definition, undefined, 2)
  // What JSON leaves as it is, and a terminal acts on.
  io.out(text.replaceAll(/[\u007f-\u009f]/g, (mark) => `\\u00${mark.charCodeAt(0).toString(16)}`))
}

async function remove({ admin }: CliStore, io: CliIo, id: string): Promise<void> {
  await admin.deleteApp(AT_HOST, id)
  io.out(`App ${id} is deleted; its keys no longer open it`)
}
