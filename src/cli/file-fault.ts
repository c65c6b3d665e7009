import { plain } from './command.ts'

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file'],
  ['ENOTDIR', 'no such file'],
  ['EISDIR', 'is a folder'],
  ['EACCES', 'may not be read'],
])

/** What went wrong with a file, with its name, and in words where the system has only a code. */
export function fileFault(file: string, thrown: unknown): Error {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  const reason = REASONS.get(code) ?? (thrown instanceof Error ? thrown.message : 'failed')
  return new Error(`${plain(file)}: ${reason}`, { cause: thrown })
}
