import { readFile } from 'node:fs/promises'
import { parseDefinition } from '../apps/definition.ts'
import { appJsonSchema } from '../apps/json-schema.ts'
import { ParleyError } from '../protocol/errors.ts'
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

type Action = (store: CliStore, io: CliIo, argument: string) => Promise<void>

/** Words besides the action's name, and what it does. */
const ACTIONS: Readonly<Record<string, { readonly words: number; readonly run: Action }>> = {
  put: { words: 1, run: put },
  list: { words: 0, run: list },
  show: { words: 1, run: show },
  delete: { words: 1, run: remove },
}

export function appsCommand(open: OpenStore): Command {
  return {
    usage: ['apps put FILE', 'apps list', 'apps show ID', 'apps delete ID', 'apps schema'],
    about: 'Apps: tools, preamble and model of an assistant',
    async run(args, io) {
      const [name = '', ...rest] = args
      // The only one that needs no store.
      if (name === 'schema') return showSchema(rest, io)
      const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
      if (action === undefined) throw new UsageError('which of put, list, show, delete, schema?')
      const { positionals } = readArgs(rest, {}, action.words)
      await withStore(open, io, (store) => action.run(store, io, positionals[0] ?? ''))
    },
  }
}

/** The JSON Schema of a definition file, as docs/app.schema.json has it. */
function showSchema(args: readonly string[], io: CliIo): void {
  readArgs(args, {}, 0)
  io.out(JSON.stringify(appJsonSchema(), undefined, 2))
}

async function put(store: CliStore, io: CliIo, file: string): Promise<void> {
  const definition = parseDefinition(parseJson(await readDefinition(file, io)))
  await store.apps.putApp({ id: definition.id, definition, updatedAt: Date.now() })
  io.out(`App ${definition.id} is stored; running servers use it within a second`)
}

/** `-` is standard input. */
async function readDefinition(file: string, io: CliIo): Promise<string> {
  if (file !== '-') return readFile(file, 'utf8')
  let text = ''
  for await (const chunk of io.input) text += String(chunk)
  return text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ParleyError('invalid_value', { message: 'The file is not JSON' })
  }
}

async function list(store: CliStore, io: CliIo): Promise<void> {
  const rows = await store.apps.listApps()
  const lines = rows.map(({ id, definition, updatedAt }) => {
    const { name, model } = parseDefinition(definition)
    return [id, name, model.default, shortTime(updatedAt)]
  })
  if (rows.length === 0) io.err('No App is stored; the built-in default App answers')
  else for (const line of table([['ID', 'NAME', 'MODEL', 'CHANGED'], ...lines])) io.out(line)
}

async function show(store: CliStore, io: CliIo, id: string): Promise<void> {
  const row = await store.apps.getApp(id)
  if (row === undefined) throw new ParleyError('app_not_found', { message: `There is no stored App ${id}` })
  io.out(JSON.stringify(row.definition, undefined, 2))
}

async function remove(store: CliStore, io: CliIo, id: string): Promise<void> {
  const existed = await store.apps.deleteApp(id)
  if (!existed) throw new ParleyError('app_not_found', { message: `There is no stored App ${id}` })
  io.out(`App ${id} is deleted; its keys no longer open it`)
}
