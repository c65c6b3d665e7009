import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  environmentIsReadOnce,
  exportsAreNamed,
  filesAreShort,
  findCycles,
  functionsAreShort,
  importsNameFiles,
  importsPointOneWay,
  MAX_FILE_LINES,
  MAX_FUNCTION_LINES,
  namesAreKebabCase,
  noBarrels,
  nothingUnfinished,
  type Rule,
  sqlStaysInStorage,
  testsAllRun,
} from './support/architecture.ts'
import { readSourceFile } from './support/source-file.ts'

const ROOT = new URL('../', import.meta.url)
const CODE = /\.(?:ts|tsx|mjs)$/

function list(folder: string): string[] {
  return (
    readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(decodeURIComponent(ROOT.pathname).length))
      // Of bench/peers, once they are installed.
      .filter((path) => !path.includes('/node_modules/'))
  )
}

const folders = readdirSync(ROOT)
const paths = ['src', 'clients', 'test', 'bench', 'scripts'].filter((folder) => folders.includes(folder)).flatMap(list)
const files = paths
  .filter((path) => CODE.test(path))
  .map((path) => readSourceFile(path, readFileSync(new URL(path, ROOT), 'utf8')))

function faults(rule: Rule): string[] {
  return files.flatMap((file) => rule(file).map((fault) => `${file.path} ${fault}`))
}

const RULES: readonly (readonly [string, Rule])[] = [
  ['imports point one way between the rooms', importsPointOneWay],
  ['relative imports name files', importsNameFiles],
  [`no file of src and clients is over ${MAX_FILE_LINES} lines`, filesAreShort],
  [`no function of src and clients is over ${MAX_FUNCTION_LINES} lines`, functionsAreShort],
  ['exports are named', exportsAreNamed],
  ['no file only passes on what others export', noBarrels],
  ['no comment puts work off', nothingUnfinished],
  ['no test is left out', testsAllRun],
  ['only storage holds SQL', sqlStaysInStorage],
  ['only config, main and cli read the environment', environmentIsReadOnce],
]

describe('the house', () => {
  it.each(RULES)('%s', (_name, rule) => {
    expect(faults(rule)).toEqual([])
  })

  it('has no circle of imports', () => {
    expect(findCycles(files)).toEqual([])
  })

  it('names its files and folders in kebab-case', () => {
    expect(paths.flatMap((path) => namesAreKebabCase(path).map((fault) => `${path} ${fault}`))).toEqual([])
  })

  it('is read at all', () => {
    expect(files.map((file) => file.path)).toEqual(
      expect.arrayContaining(['src/protocol/errors.ts', 'test/architecture.test.ts']),
    )
  })
})

const lines = (count: number): string => 'step()\n'.repeat(count)
const functionOf = (count: number): string => `function long() {\n${lines(count - 2)}}\n`

/** Each: the rule, a path, a source that breaks the rule there, and what the fault says. */
const BROKEN: readonly (readonly [string, Rule, string, string, string])[] = [
  [
    'protocol importing a port',
    importsPointOneWay,
    'src/protocol/a.ts',
    "import '../ports/b.ts'",
    'line 1: protocol must not import ../ports/b.ts',
  ],
  [
    'protocol importing a builtin',
    importsPointOneWay,
    'src/protocol/a.ts',
    "import 'node:crypto'",
    'must not import node:crypto',
  ],
  ['protocol importing a package', importsPointOneWay, 'src/protocol/a.ts', "import 'hono'", 'must not import hono'],
  [
    'a port importing the core',
    importsPointOneWay,
    'src/ports/a.ts',
    "import type { B } from '../chat/b.ts'",
    'must not import ../chat/b.ts',
  ],
  [
    'a port importing a package',
    importsPointOneWay,
    'src/ports/a.ts',
    "import * as v from 'valibot'",
    'must not import valibot',
  ],
  [
    'the core importing a socket builtin',
    importsPointOneWay,
    'src/chat/a.ts',
    "import 'node:net'",
    'must not import node:net',
  ],
  ['the core importing a package', importsPointOneWay, 'src/chat/handlers/a.ts', "import 'ws'", 'must not import ws'],
  [
    'the core importing an outer room',
    importsPointOneWay,
    'src/chat/handlers/a.ts',
    "import '../../storage/b.ts'",
    'must not import ../../storage/b.ts',
  ],
  [
    'an outer room importing another',
    importsPointOneWay,
    'src/http/a.ts',
    "import '../storage/b.ts'",
    'must not import ../storage/b.ts',
  ],
  [
    'an outer room importing the core',
    importsPointOneWay,
    'src/access/a.ts',
    "export * from '../chat/b.ts'",
    'must not import ../chat/b.ts',
  ],
  [
    'an outer room loading a package lazily',
    importsPointOneWay,
    'src/tools/a.ts',
    "\nawait import('postgres')",
    'line 2: tools must not import postgres',
  ],
  ['an outer room requiring a package', importsPointOneWay, 'src/tools/a.ts', "require('ws')", 'must not import ws'],
  [
    'a package named in a type',
    importsPointOneWay,
    'src/tools/a.ts',
    "type A = import('pino').Logger",
    'must not import pino',
  ],
  [
    'the server importing the configuration',
    importsPointOneWay,
    'src/server.ts',
    "import './config.ts'",
    'server.ts must not import ./config.ts',
  ],
  [
    'the server importing an adapter',
    importsPointOneWay,
    'src/server.ts',
    "import './transports/ws.ts'",
    'must not import ./transports/ws.ts',
  ],
  [
    'the log importing the core',
    importsPointOneWay,
    'src/log.ts',
    "import './chat/a.ts'",
    'must not import ./chat/a.ts',
  ],
  [
    'a client importing the core',
    importsPointOneWay,
    'clients/page/a.ts',
    "import '../../src/chat/b.ts'",
    'clients must not import ../../src/chat/b.ts',
  ],
  [
    'a client importing a builtin',
    importsPointOneWay,
    'clients/page/a.ts',
    "import 'node:fs'",
    'must not import node:fs',
  ],
  [
    'a package whose name begins like an allowed one',
    importsPointOneWay,
    'src/transports/a.ts',
    "import 'wsx'",
    'must not import wsx',
  ],
  ['a file outside every room', importsPointOneWay, 'src/helpers.ts', '', 'is in no room of the house'],
  ['an import without extension', importsNameFiles, 'src/http/a.ts', "import './b'", './b lacks its extension'],
  ['a long file', filesAreShort, 'src/http/a.ts', lines(MAX_FILE_LINES + 1), 'has 251 lines'],
  ['a long function', functionsAreShort, 'src/http/a.ts', functionOf(MAX_FUNCTION_LINES + 1), 'long has 61 lines'],
  [
    'a long private method',
    functionsAreShort,
    'clients/a.ts',
    `class A { #run() {\n${lines(60)}} }`,
    '#run has 62 lines',
  ],
  ['a long arrow function', functionsAreShort, 'src/a.ts', `const run = () => {\n${lines(60)}}`, 'run has 62 lines'],
  ['a default export', exportsAreNamed, 'src/http/a.ts', '\nexport default 1', 'line 2'],
  ['a name exported as default', exportsAreNamed, 'src/http/a.ts', 'const a = 1\nexport { a as default }', 'line 2'],
  [
    'a file of re-exports',
    noBarrels,
    'src/http/all.ts',
    "export * from './a.ts'\nexport { b } from './b.ts'",
    'is a barrel',
  ],
  ['an index file', noBarrels, 'src/http/index.ts', 'export const a = 1', 'is a barrel'],
  ['a comment that puts work off', nothingUnfinished, 'src/http/a.ts', '\n// TODO later', 'line 2'],
  ['a skipped suite', testsAllRun, 'test/a.test.ts', "describe.skip('a', () => {})", 'describe.skip'],
  ['a skipped table test', testsAllRun, 'test/a.test.ts', "it.skip.each([1])('a', () => {})", 'it.skip'],
  ['a test that runs alone', testsAllRun, 'test/a.test.ts', "it.concurrent.only('a', () => {})", 'it.concurrent.only'],
  ['a test yet to write', testsAllRun, 'test/a.test.ts', "it.todo('a')", 'it.todo'],
  ['a test left out on a condition', testsAllRun, 'test/a.test.ts', "it.skipIf(true)('a', () => {})", 'it.skipIf'],
  [
    'a query in a template',
    sqlStaysInStorage,
    'src/chat/a.ts',
    'const q = `SELECT ${id}\n FROM sessions`',
    'SQL outside storage',
  ],
  [
    'a lower-case query',
    sqlStaysInStorage,
    'src/http/a.ts',
    "const q = 'select id from sessions'",
    'SQL outside storage',
  ],
  [
    'a statement',
    sqlStaysInStorage,
    'src/cli/a.ts',
    "const q = 'update keys set revoked_at = now()'",
    'SQL outside storage',
  ],
  [
    'the environment read in a room',
    environmentIsReadOnce,
    'src/http/a.ts',
    'const a = process.env.PORT',
    'reads the environment',
  ],
  [
    'the environment taken apart',
    environmentIsReadOnce,
    'src/chat/a.ts',
    'const { PORT } = process.env',
    'reads the environment',
  ],
  [
    'the environment by a quoted name',
    environmentIsReadOnce,
    'src/log.ts',
    "const a = process['env']",
    'reads the environment',
  ],
  [
    'the environment of the bundler',
    environmentIsReadOnce,
    'clients/a.ts',
    'const a = import.meta.env.MODE',
    'reads the environment',
  ],
  [
    'the environment as a module',
    environmentIsReadOnce,
    'src/http/a.ts',
    "import { env } from 'node:process'",
    'imports the environment',
  ],
]

/** Each: the rule, and a source that comes near to breaking it. */
const SOUND: readonly (readonly [string, Rule, string, string])[] = [
  ['a port importing the protocol', importsPointOneWay, 'src/ports/a.ts', "import type { B } from '../protocol/b.ts'"],
  [
    'the core importing its own, ports and a cache',
    importsPointOneWay,
    'src/chat/handlers/a.ts',
    "import '../b.ts'\nimport '../../ports/c.ts'\nimport 'lru-cache'\nimport 'node:crypto'",
  ],
  [
    'a room importing its package',
    importsPointOneWay,
    'src/providers/a.ts',
    "import '@anthropic-ai/sdk/resources/messages'",
  ],
  [
    'the entry importing adapters',
    importsPointOneWay,
    'src/main.ts',
    "import './storage/a.ts'\nimport './config.ts'\nimport './server.ts'",
  ],
  ['a test importing any room', importsPointOneWay, 'test/a.test.ts', "import '../src/storage/a.ts'\nimport 'ws'"],
  ['a file at the limit', filesAreShort, 'src/http/a.ts', lines(MAX_FILE_LINES)],
  ['a function at the limit', functionsAreShort, 'src/http/a.ts', functionOf(MAX_FUNCTION_LINES)],
  ['a long suite', functionsAreShort, 'test/a.test.ts', functionOf(MAX_FUNCTION_LINES * 2)],
  ['a file that adds to what it passes on', noBarrels, 'src/http/a.ts', "export * from './b.ts'\nexport const a = 1"],
  ['a text about work to do', nothingUnfinished, 'src/http/a.ts', "const a = 'TODO'"],
  ['another object with a method named skip', testsAllRun, 'test/a.test.ts', 'reader.skip(4)'],
  [
    'English with the words of SQL',
    sqlStaysInStorage,
    'src/tools/a.ts',
    "const a = 'Pick a message to delete from the session, or select one from the list'",
  ],
  ['SQL in storage', sqlStaysInStorage, 'src/storage/a.ts', 'const q = sql`SELECT 1 FROM keys`'],
  ['a variable set for a library', environmentIsReadOnce, 'src/transports/a.ts', "process.env.A = '1'"],
  ['the configuration reading the environment', environmentIsReadOnce, 'src/config.ts', 'const a = process.env'],
]

describe('the rules of the house', () => {
  it.each(BROKEN)('find %s', (_name, rule, path, source, fault) => {
    expect(rule(readSourceFile(path, source))).toEqual([expect.stringContaining(fault)])
  })

  it.each(SOUND)('pass %s', (_name, rule, path, source) => {
    expect(rule(readSourceFile(path, source))).toEqual([])
  })

  it('find a circle of imports, types included, and name it once', () => {
    const a = readSourceFile('src/chat/a.ts', "import './b.ts'")
    const b = readSourceFile('src/chat/b.ts', "import './c/d.ts'")
    const d = readSourceFile('src/chat/c/d.ts', "import type { A } from '../a.ts'")
    expect(findCycles([a, b, d])).toEqual(['src/chat/a.ts -> src/chat/b.ts -> src/chat/c/d.ts -> src/chat/a.ts'])
    expect(findCycles([a, b])).toEqual([])
  })

  it.each(['src/http/RunAgent.ts', 'src/runAgent/a.ts', 'test/a_b.test.ts'])(
    'find that %s is not kebab-case',
    (path) => {
      expect(namesAreKebabCase(path)).toEqual(['is not named in kebab-case'])
    },
  )

  it.each(['src/http/run-agent.ts', 'test/a-b.test.ts', 'src/storage/migrations/0001.sql', 'src/protocol/README.md'])(
    'pass the name %s',
    (path) => {
      expect(namesAreKebabCase(path)).toEqual([])
    },
  )
})
