import { readFileSync, statSync } from 'node:fs'
import * as v from 'valibot'
import { IN_WORDS } from '../protocol/in-words.ts'

/** Bytes of the file: far above what names some programs. */
const MAX_FILE_BYTES = 1_048_576

const Text = v.pipe(
  v.string(),
  v.maxLength(4096),
  v.check((text) => !text.includes('\0'), 'must hold no NUL'),
)
const EnvironmentName = v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'is no name of a variable'))
const ProgramSchema = v.strictObject({
  /** A path, or a name that is looked for in the PATH of its own `env`. */
  command: v.pipe(Text, v.minLength(1)),
  args: v.optional(v.array(Text), []),
  env: v.optional(v.record(EnvironmentName, Text), {}),
  /** Variables of the server's own environment that it gets as they are. */
  inherit: v.optional(v.array(EnvironmentName), []),
  cwd: v.optional(v.pipe(Text, v.minLength(1))),
  apps: v.optional(v.array(v.string())),
})
const FileSchema = v.record(
  v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'a name must be 1 to 64 of a-z 0-9 -')),
  ProgramSchema,
)

type Environment = Readonly<Record<string, string | undefined>>

/** A program that Apps may name as an MCP server, with all of its environment. */
type Program = Omit<v.InferOutput<typeof ProgramSchema>, 'inherit'>

export type McpPrograms = {
  readonly programs: ReadonlyMap<string, Program>
  /** A line for each thing that is not as it must be; without values. */
  readonly faults: readonly string[]
}

/** The programs of the file `path`. `own`: names that Parley itself reads, which stay with it. */
export function readMcpPrograms(path: string | undefined, env: Environment, own: readonly string[]): McpPrograms {
  const programs = new Map<string, Program>()
  if (path === undefined) return { programs, faults: [] }
  const parsed = v.safeParse(FileSchema, parse(path), IN_WORDS)
  const tell = (fault: string): string => `PARLEY_MCP_SERVERS names ${path}: ${fault}`
  if (!parsed.success) return { programs, faults: parsed.issues.map((issue) => tell(describe(issue))) }
  const faults: string[] = []
  for (const [name, { inherit, ...program }] of Object.entries(parsed.output)) {
    const given = inherit.map((variable) => [variable, env[variable]] as const)
    for (const [variable, value] of given) {
      const fault = value === undefined ? 'is not set' : isOwn(variable, own) ? "is Parley's own" : undefined
      if (fault !== undefined) faults.push(tell(`${name} inherits ${variable}, which ${fault}`))
    }
    const inherited = Object.fromEntries(given.map(([variable, value]) => [variable, value ?? '']))
    programs.set(name, { ...program, env: { ...inherited, ...program.env } })
  }
  return { programs, faults }
}

function isOwn(name: string, own: readonly string[]): boolean {
  return own.includes(name) || name.startsWith('PARLEY_')
}

/** Undefined for what cannot be read. */
function parse(path: string): unknown {
  try {
    return statSync(path).size > MAX_FILE_BYTES ? undefined : JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function describe(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue)
  if (path === null) return 'it must be a file of JSON, an object of programs by their names'
  return `${path}: ${issue.message}`
}
