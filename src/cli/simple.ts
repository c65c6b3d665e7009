import { configMarkdown } from '../config.ts'
import { type Command, readArgs } from './command.ts'
import { openDescribed } from './open-store.ts'
import { stoppable } from './stoppable.ts'

export const serveCommand: Command = {
  usage: ['serve'],
  about: 'Run the server until it is told to stop',
  async run(args, io) {
    readArgs(args, {}, 0)
    // Loaded for this command only: the others start faster without a server.
    const { serve } = await import('../main.ts')
    await serve({ ...io.env }, (line) => void io.output.write(`${line}\n`))
  },
}

export const migrateCommand: Command = {
  usage: ['migrate'],
  about: "Bring the database to this release's schema; the server does so by itself when it starts",
  async run(args, io) {
    readArgs(args, {}, 0)
    await stoppable(async () => {
      const storage = await openDescribed(io)
      await storage.close()
      io.out(`Migrated: ${storage.description}`)
    })
  },
}

export const configCommand: Command = {
  usage: ['config'],
  about: 'Print every setting as a Markdown table',
  async run(args, io) {
    readArgs(args, {}, 0)
    io.out(configMarkdown())
  },
}
