import { PassThrough } from 'node:stream'
import { accountsCommand } from '../../src/cli/accounts.ts'
import { adminOf } from '../../src/cli/admin-of.ts'
import { appsCommand } from '../../src/cli/apps.ts'
import { auditCommand } from '../../src/cli/audit.ts'
import { chatCommand } from '../../src/cli/chat.ts'
import { runCli } from '../../src/cli/cli.ts'
import type { CliIo } from '../../src/cli/command.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { readConfig } from '../../src/config.ts'
import { FakeStore } from '../access/fakes.ts'
import { readsOf } from './fake-acts.ts'

/** Milliseconds. */
const DAY = 86_400_000

/** The commands on a fake store, with what they print. */
export class FakeTerminal implements CliIo {
  readonly store = new FakeStore()
  readonly outLines: string[] = []
  readonly errLines: string[] = []
  readonly env: Record<string, string> = {}
  readonly input = new PassThrough()
  readonly output = new PassThrough({ encoding: 'utf8' })
  closed = 0
  screen = ''
  #watchers: (() => void)[] = []

  constructor() {
    this.output.on('data', (text: string) => {
      this.screen += text
      for (const look of this.#watchers) look()
    })
  }

  readonly out = (line: string): void => {
    this.outLines.push(line)
  }

  readonly flush = async (): Promise<void> => undefined

  readonly err = (line: string): void => {
    this.errLines.push(line)
  }

  run(...argv: string[]): Promise<number> {
    const { plans } = readConfig(this.env).access
    const open = async () => ({
      keys: this.store,
      apps: this.store,
      admin: adminOf(this.store, readsOf(this.store), { auditKeepMs: DAY, plans }),
      close: async () => {
        this.closed++
      },
    })
    return runCli(argv, this, {
      accounts: accountsCommand(open),
      apps: appsCommand(open),
      audit: auditCommand(open),
      keys: keysCommand(open),
      chat: chatCommand,
    })
  }

  /** Resolves once the screen shows `text`. */
  async shows(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = () => {
        if (this.screen.includes(text)) resolve()
      }
      this.#watchers.push(look)
      look()
    })
  }
}
