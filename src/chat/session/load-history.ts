import type { HistoryPage } from '../../ports/store.ts'
import type { Core } from '../core.ts'
import { History } from './history.ts'

/** The newest part of the conversation, within the window's bounds. */
export async function loadHistory(core: Core, sessionId: string): Promise<History> {
  const { windowBytes, windowMessages } = core.settings
  const page = await core.store.history(sessionId, { maxMessages: windowMessages, maxBytes: windowBytes })
  return new History(await withWholeRun(core, sessionId, page))
}

/**
 * The newest run is never cut, here as in memory: calls of it may wait to be made or answered, and what goes on from it is told to the
 * model with it.
 */
async function withWholeRun(core: Core, sessionId: string, page: HistoryPage): Promise<HistoryPage> {
  const [first] = page.messages
  if (first === undefined || first.index === 0 || first.runId !== page.messages.at(-1)?.runId) return page
  const found = await core.store.runMessages([{ sessionId, runId: first.runId }])
  const messages = found.get(sessionId) ?? page.messages
  const older = await core.store.history(sessionId, {
    before: messages[0]?.id ?? first.id,
    maxMessages: 1,
    maxBytes: 1,
  })
  return { messages, hasMore: older.messages.length > 0 }
}
