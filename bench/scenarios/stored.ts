import type { Contender } from '../contenders/contender.ts'

type Counts = { readonly runs: number; readonly userMessages: number; readonly assistantMessages: number }

/**
 * Counts rows now; the returned function throws unless each of `sends` has left its run, its question and its answer since, and
 * each call of a tool one more message of the assistant.
 */
export async function watchStore(contender: Contender): Promise<(sends: number, calls?: number) => Promise<void>> {
  const before = await counts(contender)
  return async (sends, calls = 0) => {
    const after = await counts(contender)
    if (!before || !after) return
    const { runs, userMessages, assistantMessages } = after
    const grown = [runs - before.runs, userMessages - before.userMessages, assistantMessages - before.assistantMessages]
    const expected = [sends, sends, sends + calls]
    if (grown.some((count, nth) => count !== expected[nth])) {
      throw new Error(`${sends} sends left ${grown.join(', ')} rows of runs, user and assistant messages`)
    }
  }
}

async function counts(contender: Contender): Promise<Counts | undefined> {
  const sql = contender.store?.connect()
  if (!sql) return undefined
  try {
    const [row] = await sql<Counts[]>`
      select (select count(*)::int from runs) as runs,
        (select count(*)::int from messages where role = 'user') as "userMessages",
        (select count(*)::int from messages where role = 'assistant') as "assistantMessages"`
    return row
  } finally {
    await sql.end()
  }
}
