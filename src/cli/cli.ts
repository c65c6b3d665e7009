import { ConfigError } from '../config.ts'
import { type CliIo, type Command, UsageError } from './command.ts'

export type Commands = Readonly<Record<string, Command>>

const [OK, FAILED, MISUSED] = [0, 1, 2]

/** Runs one command; resolves with the exit code: 0 done, 1 failed, 2 misused. What was not written was not done. */
export async function runCli(argv: readonly string[], io: CliIo, commands: Commands): Promise<number> {
  const code = await runOne(argv, io, commands)
  try {
    await io.flush()
    return code
  } catch (thrown) {
    io.err(`parley: ${explain(thrown)}`)
    return code === OK ? FAILED : code
  }
}

async function runOne([name = '', ...args]: readonly string[], io: CliIo, commands: Commands): Promise<number> {
  if (['help', '--help', '-h'].includes(name) || args.includes('--help')) {
    for (const line of usage(commands, name === 'help' ? (args[0] ?? '') : name)) io.out(line)
    return OK
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    io.err(name === '' ? 'parley: which command?' : `parley: there is no command ${name}`)
    for (const line of usage(commands, '')) io.err(line)
    return MISUSED
  }
  try {
    await command.run(args, io)
    return OK
  } catch (thrown) {
    io.err(`parley ${name}: ${explain(thrown)}`)
    if (thrown instanceof UsageError) for (const line of forms(command)) io.err(line)
    return thrown instanceof UsageError || thrown instanceof ConfigError ? MISUSED : FAILED
  }
}

function usage(commands: Commands, only: string): string[] {
  const one = Object.hasOwn(commands, only) ? commands[only] : undefined
  if (one !== undefined) return [one.about, ...forms(one)]
  const all = Object.values(commands).flatMap((command) => [command.about, ...forms(command), ''])
  return [...all, 'Settings come from the environment: parley config lists them.']
}

/** What begins with a space goes on the line before. */
function forms({ usage }: Command): string[] {
  return usage.map((form) => (form.startsWith(' ') ? `         ${form}` : `  parley ${form}`))
}

const CREDENTIAL = /\/\/[^\s/@]+@|\b(?:sk|pk)[_-][A-Za-z0-9_-]{6,}/g

/** One line, without a password of an address or a key. */
function explain(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'failed'
  const lines = thrown.message.split('\n').map((line) => line.trim())
  const text = lines.filter((line) => line !== '').join('; ')
  return text === '' ? `failed (${thrown.name})` : text.replace(CREDENTIAL, '[secret]')
}
