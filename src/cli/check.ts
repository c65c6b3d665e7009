import type { Broken, Inspection } from '../storage/inspect.ts'
import { type CliIo, type Command, readArgs } from './command.ts'

export type Inspect = (io: CliIo) => Promise<Inspection>

export function checkCommand(inspect: Inspect): Command {
  return {
    usage: ['check'],
    about: 'Verify that what the database holds is whole; it changes nothing, and a server may run meanwhile',
    async run(args, io) {
      readArgs(args, {}, 0)
      const inspection = await inspect(io)
      for (const line of summary(inspection)) io.out(line)
      const { broken, checked } = inspection
      for (const one of broken) for (const line of describe(one)) io.out(line)
      if (broken.length > 0) throw new Error(`${broken.length} of ${checked} invariants do not hold`)
      io.out(`All ${checked} invariants hold`)
    },
  }
}

function summary({ description, version, rows, waiting }: Inspection): string[] {
  const { sessions, runs, messages, apps, keys } = rows
  const counted = [
    `${sessions} sessions`,
    `${runs} runs`,
    `${messages} messages`,
    `${apps} stored Apps`,
    `${keys} keys`,
  ].join(', ')
  const notes: readonly (readonly [number, string])[] = [
    [waiting.deadRuns, 'runs whose process died: ended as interrupted when their session is opened'],
    [waiting.queues, 'sessions with a queue that goes on when they are opened, or is just going on'],
    [waiting.statuses, 'sessions whose queue was emptied: their status is settled with the next run'],
  ]
  const waits = notes.flatMap(([count, what]) => (count === 0 ? [] : [`  waits      ${count} ${what}`]))
  return [`Checked ${description}, schema version ${version}`, `  rows       ${counted}`, ...waits]
}

function describe({ name, found, count, examples }: Broken): string[] {
  const places = examples.map(({ session, item }) => {
    if (session === undefined) return `    key ${item ?? ''}`
    return `    session ${session}${item === undefined ? '' : `, run ${item}`}`
  })
  const more = count > examples.length ? [`    and ${count - examples.length} more`] : []
  return [`BROKEN ${name}: ${count} ${found}`, ...places, ...more]
}
