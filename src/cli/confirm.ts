import { createInterface } from 'node:readline'
import { type CliIo, UsageError } from './command.ts'

/** Asks the person at the terminal; throws UsageError unless the answer is yes. `yes`: it was said in the command already. */
export async function confirm(io: CliIo, question: string, yes: boolean): Promise<void> {
  if (yes) return
  io.err(`${question} This cannot be undone. Type yes to go on:`)
  if ((await readLine(io)).trim() !== 'yes') throw new UsageError('nothing was done; --yes says it in the command')
}

/** Empty when there is nobody to type. */
async function readLine({ input }: CliIo): Promise<string> {
  const lines = createInterface({ input })
  try {
    for await (const line of lines) return line
    return ''
  } finally {
    lines.close()
  }
}

/** `1 session`, `2 sessions`. */
export function sessionsOf(count: number): string {
  return count === 1 ? '1 session' : `${count} sessions`
}
