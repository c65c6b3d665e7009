import { accountsCommand } from './accounts.ts'
import { appsCommand } from './apps.ts'
import { auditCommand } from './audit.ts'
import { chatCommand } from './chat.ts'
import { checkCommand } from './check.ts'
import { runCli } from './cli.ts'
import type { CliIo } from './command.ts'
import { docsCommand } from './docs.ts'
import { keysCommand } from './keys.ts'
import { inspectStore, openStore } from './open-store.ts'
import { Output } from './output.ts'
import { retainCommand } from './retain.ts'
import { sessionsCommand } from './sessions.ts'
import { configCommand, migrateCommand, serveCommand } from './simple.ts'
import { usageCommand } from './usage.ts'
import { usersCommand } from './users.ts'

const output = new Output(process.stdout)
// Who reads what goes wrong may leave, too.
process.stderr.on('error', () => undefined)

const io: CliIo = {
  out: output.line,
  flush: output.flush,
  err: (line) => console.error(line),
  env: process.env,
  input: process.stdin,
  output: process.stdout,
}

const commands = {
  serve: serveCommand,
  apps: appsCommand(openStore),
  keys: keysCommand(openStore),
  docs: docsCommand(openStore),
  accounts: accountsCommand(openStore),
  usage: usageCommand(openStore),
  audit: auditCommand(openStore),
  sessions: sessionsCommand(openStore),
  users: usersCommand(openStore),
  retain: retainCommand(openStore),
  migrate: migrateCommand,
  check: checkCommand(inspectStore),
  chat: chatCommand,
  config: configCommand,
}

process.exit(await runCli(process.argv.slice(2), io, commands))
