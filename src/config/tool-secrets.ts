import { Secret } from './values.ts'

/** Characters: shorter ones are guessed, and could not be told from other text when results are searched for them. */
const [MIN_LENGTH, MAX_LENGTH] = [8, 4096]
/** What a header can carry. */
const SENDABLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

type Environment = Readonly<Record<string, string | undefined>>

export type ToolSecrets = {
  readonly secrets: ReadonlyMap<string, Secret>
  /** A line for each that is not as it must be, without its value. */
  readonly faults: readonly string[]
}

/** The values of the variables that the operator named. `own`: names that Parley itself reads, which stay with it. */
export function readToolSecrets(names: readonly string[], env: Environment, own: readonly string[]): ToolSecrets {
  const secrets = new Map<string, Secret>()
  const faults: string[] = []
  for (const name of names) {
    const value = env[name]?.trim() ?? ''
    const fault = faultOf(name, value, own)
    if (fault === undefined) secrets.set(name, new Secret(value))
    else faults.push(`PARLEY_TOOL_SECRETS names ${name}, which ${fault}`)
  }
  return { secrets, faults }
}

function faultOf(name: string, value: string, own: readonly string[]): string | undefined {
  if (own.includes(name) || name.startsWith('PARLEY_')) return "is Parley's own"
  if (value === '') return 'is not set'
  if (value.length < MIN_LENGTH || value.length > MAX_LENGTH || !SENDABLE.test(value))
    return `must hold ${MIN_LENGTH} to ${MAX_LENGTH} printable ASCII characters`
  return undefined
}
