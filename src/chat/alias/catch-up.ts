import type { MessageRow, StoredRun } from '../../ports/store.ts'
import { encodeAliasChunk, encodeAliasError } from '../../protocol/aliases.ts'
import { type ErrorCode, isErrorCode } from '../../protocol/errors.ts'
import type { Event } from '../../protocol/events.ts'
import type { LastRun } from '../../protocol/frames.ts'
import type { Cursor } from '../../protocol/ids.ts'
import { toLastRun } from '../run/run-end.ts'
import { isQueued } from '../session/activity.ts'
import type { History } from '../session/history.ts'
import type { Session } from '../session/session.ts'
import { toPage } from '../session/wire-messages.ts'
import { openItems, replayEvents } from './replay.ts'

/** The run's events so far, without positions, each made when it is asked for; when it `isOver`, its end is the last of them. */
export type Told = { readonly frames: Iterable<string>; readonly isOver: boolean }

/** A run as it is stored. `rows`: what it said, where that is older than the window in memory. */
export type FoundRun = { readonly row: StoredRun | undefined; readonly rows?: readonly MessageRow[] }

export async function findRun(session: Session, runId: string): Promise<FoundRun> {
  const { id, core, stored } = session
  const row = stored ? await core.store.findRun(id, runId) : undefined
  const history = await session.history()
  const isWhole = !history.hasMore || history.runRows(runId)[0]?.index === 0
  if (row?.endedAt === undefined || row.superseded !== undefined || isWhole) return { row }
  const found = await core.store.runMessages([{ sessionId: id, runId }])
  return { row, rows: found.get(id) ?? [] }
}

/**
 * All that there is of a run; undefined: this session has none of this id. With `history` for a client that holds a part of
 * it: a snapshot takes the place of what the client has.
 */
export function tellRun(
  session: Session,
  runId: string,
  { row, rows }: FoundRun,
  history: History,
  withHistory: boolean,
): Told | undefined {
  const run = session.active?.runId === runId ? session.active : undefined
  if (run !== undefined) {
    const others = history.rows.filter((each) => each.runId !== runId || each.role === 'user')
    const [started, ...opening] = run.opening()
    const said = started === undefined ? [] : [started, ...replayEvents(run.rows(), openItems(opening))]
    return { frames: encoded([...(withHistory ? [snapshot(others, history)] : []), ...said], runId), isOver: false }
  }
  if (isQueued(session, runId)) return { frames: [], isOver: false }
  const last = session.lastRun?.runId === runId ? session.lastRun : row && toLastRun(row)
  if (last === undefined) return undefined
  const started: Event = { type: 'RUN_STARTED', threadId: session.id, runId }
  const said = withHistory
    ? [snapshot(history.rows, history)]
    : [started, ...replayEvents(rows ?? history.runRows(runId), new Set())]
  return { frames: encoded(said, runId, encodeEnd(session, last)), isOver: true }
}

function* encoded(events: readonly Event[], runId: string, end?: string): Generator<string> {
  for (const event of events) yield encodeAliasChunk(event, runId)
  if (end !== undefined) yield end
}

/** Where a reader of the log at `cursor` stands to the run: in it, before it, or where nothing of its end can be read. */
export function placeIn(session: Session, runId: string, cursor: Cursor): 'inside' | 'before' | 'lost' {
  const read = session.log.read(cursor, Number.MAX_SAFE_INTEGER)
  if (read.kind === 'gap') return 'lost'
  const isActive = session.active?.runId === runId
  const isOpen = isActive || isQueued(session, runId)
  const events = read.entries.map(({ event }) => event)
  const mark = events.find(({ type }) => type === 'RUN_STARTED' || type === 'RUN_FINISHED' || type === 'RUN_ERROR')
  const starts = events.some((event) => event.type === 'RUN_STARTED' && event.runId === runId)
  if (mark === undefined) return isActive ? 'inside' : isOpen ? 'before' : 'lost'
  // RUN_ERROR does not say whose it is: that of a run which is still open it is not.
  if (mark.type === 'RUN_ERROR' && !isOpen && !starts) return 'inside'
  if (mark.type === 'RUN_FINISHED' && mark.runId === runId) return 'inside'
  return isOpen || starts ? 'before' : 'lost'
}

/** The end of a run that left the queue unstarted; undefined while it may still have one of its own. */
export function endOfGone(session: Session, runId: string): string | undefined {
  if (session.active?.runId === runId || isQueued(session, runId)) return undefined
  return encodeEnd(session, { runId, outcome: 'cancelled' })
}

/** Another process has the run on or starts it, and that was not heard of here yet. */
export function isOnElsewhere(session: Session, runId: string, row: StoredRun | undefined): boolean {
  const isOpen = row?.status === 'running' || row?.status === 'queued'
  return isOpen && session.active?.runId !== runId && session.lastRun?.runId !== runId && !isQueued(session, runId)
}

function snapshot(rows: History['rows'], history: History): Event {
  return { type: 'MESSAGES_SNAPSHOT', messages: toPage(rows, history.hasMore).messages }
}

/** How an ended run is told when its own last event is gone. */
function encodeEnd({ id: threadId }: Session, { runId, outcome, code }: LastRun): string {
  if (outcome === 'error') return encodeAliasError(toErrorCode(code), runId)
  const type = outcome === 'success' ? 'success' : 'cancelled'
  return encodeAliasChunk({ type: 'RUN_FINISHED', threadId, runId, outcome: { type } }, runId)
}

function toErrorCode(code: string | undefined): ErrorCode {
  return code !== undefined && isErrorCode(code) ? code : 'internal_error'
}
