import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Audit } from '../admin/audit.ts'
import type { Admin } from '../ports/admin.ts'
import type { DocumentStore } from '../ports/documents.ts'
import type { KeyStore } from '../ports/keys.ts'
import type { PrivacyStore } from '../ports/privacy.ts'
import type { AppStore, SessionStore } from '../ports/store.ts'
import { stoppable } from './stoppable.ts'

/** Where a command reads and writes; the process's own, or a test's. */
export type CliIo = {
  /** One line to standard output. */
  readonly out: (line: string) => void
  /** Until all of `out` was taken; rejects with a message for people when some was not. */
  readonly flush: () => Promise<void>
  /** One line to standard error: what is no result. */
  readonly err: (line: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
}

/** What commands do to the store that a server uses. */
export type CliStore = Closing & { readonly admin: Admin; readonly keys: KeyStore; readonly apps: AppStore }
export type OpenStore<Store = CliStore> = (io: CliIo) => Promise<Store>
/** What `docs` does to it. */
export type CliDocuments = Closing & {
  readonly apps: AppStore
  readonly documents: DocumentStore
  readonly audit: Audit
}
/** What is done to conversations. */
export type CliConversations = Closing & {
  readonly apps: AppStore
  readonly sessions: Pick<SessionStore, 'list' | 'delete'>
  readonly privacy: PrivacyStore
  readonly audit: Audit
}
type Closing = { close(): Promise<void> }

export type Command = {
  /** A line for each form: the command with its arguments. One that begins with a space goes on the line before. */
  readonly usage: readonly string[]
  readonly about: string
  run(args: readonly string[], io: CliIo): Promise<void>
}

/** The command line itself is wrong: exit code 2, with the usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

type Options = NonNullable<ParseArgsConfig['options']>

/** Reads options strictly; throws UsageError. `positionals`: how many words besides options are wanted, or at least and at most. */
export function readArgs<const O extends Options>(
  args: readonly string[],
  options: O,
  positionals: number | readonly [number, number],
) {
  const parsed = parse(args, options)
  const [least, most] = typeof positionals === 'number' ? [positionals, positionals] : positionals
  if (parsed.positionals.length < least) throw new UsageError('an argument is missing')
  if (parsed.positionals.length > most) throw new UsageError('too many arguments')
  return parsed
}

function parse<const O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (fault) {
    throw new UsageError(fault instanceof Error ? (fault.message.split('. ', 1)[0] ?? '') : 'unreadable options')
  }
}

/** The action of a command that its first word names; throws UsageError. */
export function actionOf<A>(actions: Readonly<Record<string, A>>, name: string): A {
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined
  if (action === undefined) throw new UsageError(`which of ${Object.keys(actions).join(', ')}?`)
  return action
}

/** Runs `use` with the store and closes it, whatever happens, a signal included. */
export async function withStore<Store extends Closing>(
  open: OpenStore<Store>,
  io: CliIo,
  use: (store: Store) => Promise<void>,
): Promise<void> {
  await stoppable(async (stopped) => {
    const store = await open(io)
    try {
      await Promise.race([use(store), stopped])
    } finally {
      await store.close()
    }
  })
}

/** What people, models and other accounts wrote could speak to the terminal. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ')
}

/** A list as people read it; where it is empty `none`, which is no result. */
export function printTable(
  io: CliIo,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
): void {
  if (rows.length === 0) io.err(none)
  else for (const line of table([heading, ...rows])) io.out(line)
}

/** Columns of equal width. */
function table(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map((row) => row.map(plain))
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, column) => Math.max(cell.length, known[column] ?? 0)),
    [],
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** `2026-04-30 11:00`, in UTC. */
export function shortTime(ms: number | undefined): string {
  return ms === undefined ? '-' : new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
}
