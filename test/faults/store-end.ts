import type { ParleyProcess } from '../support/parley-process.ts'
import type { FaultDatabase } from './store-database.ts'
import { answerTo, type Person } from './store-person.ts'
import type { Tally } from './store-watch.ts'

export type End = {
  readonly people: readonly Person[]
  readonly tally: Tally
  readonly server: ParleyProcess
  readonly database: FaultDatabase
  /** How often the model was asked to answer each text. */
  readonly asked: ReadonlyMap<string, number>
}

/** Lines of the log that say that something went as it should not: the others tell of the trouble itself. */
const BAD_LINE = /"level":"error"/

type Row = { readonly id: string; readonly role: string; readonly content: string; readonly status: string }

/** When all is over: the rows are what was said, once and in order, and the database is whole. */
export async function inspectEnd(end: End): Promise<void> {
  for (const person of end.people) await inspectRows(end, person)
  const { tally, server } = end
  for (const [content, times] of end.asked)
    if (times !== 1) tally.broken(`the model was asked ${times} times for "${content}"`)
  for (const line of server.said) if (BAD_LINE.test(line)) tally.broken(`the log says: ${line.trim()}`)
  const verdict = await server.command('check').catch((thrown: unknown) => String(thrown))
  if (!/^All \d+ invariants hold$/m.test(verdict)) tally.broken(`parley check: ${verdict}`)
  else tally.count('parley check, clean')
  for (const person of end.people) await person.close()
}

async function inspectRows({ tally, database }: End, { session, asked }: Person): Promise<void> {
  const rows = await database.look(
    (sql) => sql<Row[]>`
      select m.id, m.role, m.content, r.status from messages m
      join runs r on r.session_id = m.session_id and r.id = m.run_id
      where m.session_id = ${session} order by r.position, m.index`,
  )
  const stored = rows.map(({ role, content, status }) => `${status} ${role}: ${content}`)
  const said = asked.flatMap(({ content }) => [`finished user: ${content}`, `finished assistant: ${answerTo(content)}`])
  tally.count('rows compared with what was said', stored.length)
  if (stored.length !== said.length || stored.some((row, at) => row !== said[at])) {
    const at = stored.findIndex((row, index) => row !== said[index])
    tally.broken(
      `a session has ${stored.length} messages instead of ${said.length}, the first other one: ${stored[at]} instead of ${said[at]}`,
    )
  }
}
