import { randomUUID } from 'node:crypto'
import type { App } from '../../ports/apps.ts'
import type { MessageRow, OpenRun, RunRow, SessionRow } from '../../ports/store.ts'
import type { MessageSend } from '../../protocol/commands.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { fitsUtf8 } from '../../protocol/text.ts'
import { askedRun, type Caller, type Outcome } from '../connection/caller.ts'
import type { Core } from '../core.ts'
import { launch, startNext } from '../run/run-lifecycle.ts'
import { currentApp, isInHistory, startRun } from '../run/start-run.ts'
import { stopRun } from '../run/stop-run.ts'
import { firstWords } from '../run/title.ts'
import { isQueued, type QueuedSend } from '../session/activity.ts'
import type { History } from '../session/history.ts'
import { onNewest } from '../session/outrun.ts'
import { isOutrun } from '../session/refusals.ts'
import { reconcile } from '../session/renew.ts'
import type { Session } from '../session/session.ts'

/**
 * A person's message: durable with its run before it is acknowledged (I2), then run at once or queued. `runId`: the run's id,
 * where the client chose it.
 */
export async function messageSend(core: Core, caller: Caller, command: MessageSend, runId?: string): Promise<Outcome> {
  if (!fitsUtf8(command.content, core.settings.messageBytes)) throw new ParleyError('message_too_large')
  const { session } = caller
  return session.exclusive(() => onNewest(session, () => send(core, caller, command, runId)))
}

async function send(core: Core, caller: Caller, command: MessageSend, runId: string | undefined): Promise<Outcome> {
  const { session } = caller
  assertAccepting(core, session)
  await reconcile(session)
  const history = await session.history()
  const known = await findSend(session, history, command.clientMessageId)
  if (known !== undefined) return duplicate(session, history, known, command)
  if (isKept(session, command.clientMessageId, runId))
    throw new ParleyError('conflict', { message: 'This id is kept for an answer' })
  if (runId !== undefined) await assertNewRun(session, runId)
  const replaces = await replacedRun(session, history, command.replaces)
  const free = session.activity.kind === 'none' && session.queue.length === 0
  if (!free && command.policy === 'reject') throw new ParleyError('run_active')
  const app = await currentApp(session)
  const room = app.limits?.queuedSends ?? core.settings.queuedSends
  if (!free && session.queue.length >= room) throw new ParleyError('queue_full')
  const release = await core.access.admitRun(caller.principal, caller.from, app)
  const queued = toQueued(caller, command, replaces, runId)
  try {
    if (free) return await begin(caller, app, queued, history, release)
    release()
    return await enqueue(core, session, queued, command.policy === 'interrupt')
  } catch (thrown) {
    // Only the store knows the sends that left the queue unstarted.
    const sent = isOutrun(thrown) ? (await stored(session, command.clientMessageId))?.userMessage : undefined
    if (sent === undefined) throw thrown
    // The next one of these is looked up first: a refused write makes others of its batch wait.
    session.hidesSends = true
    return duplicate(session, history, sent, command)
  }
}

export function assertAccepting(core: Core, session: Session): void {
  if (core.draining()) throw new ParleyError('draining', { retryAfterMs: core.settings.reconnectMs })
  if (session.activity.kind === 'saving')
    throw new ParleyError('store_unavailable', { retryAfterMs: core.settings.storeGiveUpMs })
  if (session.retired) throw new ParleyError('session_not_found')
}

/** An id that a client chose for a run must be new to the session, or the other run's row would be written over. */
export async function assertNewRun(session: Session, runId: string): Promise<void> {
  const isOpen = session.active?.runId === runId || isQueued(session, runId)
  const { rows } = await session.history()
  const isKeptFor = [...rows, ...session.queue.map(({ message }) => message)].some(({ id }) => runOfId(id) === runId)
  if (isOpen || isKeptFor || (session.stored && (await session.core.store.isRunTaken(session.id, runId))))
    throw new ParleyError('conflict', { message: 'This run id was used before' })
}

/** The run that the server gives such an id for, to one of its messages. */
function runOfId(id: string): string | undefined {
  return /^(.+)-\d+$/.exec(id)?.[1]
}

/** A message with this id is still to come: of this send's run, of one that is on or waits, or as the result of a call that waits. */
function isKept({ active, runId, queue, waiting }: Session, id: string, chosen: string | undefined): boolean {
  const run = runOfId(id)
  return (
    run !== undefined &&
    [chosen, runId, active?.plan.row.parentRunId, waiting?.id, ...queue.map((item) => item.run.id)].includes(run)
  )
}

async function begin(
  caller: Caller,
  app: App,
  { run, message }: QueuedSend,
  history: History,
  release: () => void,
): Promise<Outcome> {
  const { session } = caller
  const title =
    session.row.title === undefined
      ? ({ title: firstWords(message.content), titleBy: 'start' } satisfies Partial<SessionRow>)
      : {}
  const started = await startRun(session, app, { run, message, history, changes: title, release })
  if (title.title !== undefined) session.announce({ type: 'session.updated', title: title.title })
  return {
    ack: { clientMessageId: message.id, runId: run.id, state: 'started', duplicate: false },
    after: () => void launch(session, started),
  }
}

/** Into the queue: last, or first when it interrupts; the run it interrupts is stopped once this is durable. */
async function enqueue(
  core: Core,
  session: Session,
  { run, message }: QueuedSend,
  interrupts: boolean,
): Promise<Outcome> {
  const times = session.queue.map((waiting) => waiting.run.queuedAt)
  const queuedAt = interrupts
    ? Math.min(run.queuedAt, ...times.map((time) => time - 1))
    : Math.max(run.queuedAt, ...times.map((time) => time + 1))
  const row = { ...run, queuedAt }
  await session.save({ runs: [row], messages: [message] }, core.settings.storeGiveUpMs).catch((thrown: unknown) => {
    session.doubtful = true
    throw thrown
  })
  const item = { run: row, message }
  session.queue = interrupts ? [item, ...session.queue] : [...session.queue, item]
  session.announceStatus()
  const after = (): void => {
    if (interrupts)
      void stopRun(session).catch((thrown: unknown) => core.telemetry.log('warn', 'stop not sent', {}, thrown))
    void startNext(session)
  }
  return { ack: { clientMessageId: message.id, runId: run.id, state: 'queued', duplicate: false }, after }
}

function toQueued(
  caller: Caller,
  command: MessageSend,
  replaces: string | undefined,
  id: string = randomUUID(),
): QueuedSend {
  const run: RunRow = { ...askedRun(caller, id), ...(replaces === undefined ? {} : { replaces }) }
  const message: MessageRow = {
    id: command.clientMessageId,
    sessionId: run.sessionId,
    runId: id,
    index: 0,
    role: 'user',
    content: command.content,
    createdAt: run.queuedAt,
  }
  return { run, message }
}

/** The message with this id, wherever it is: waiting, in history, or in a part of the store that memory does not hold. */
export async function findSend(session: Session, history: History, id: string): Promise<MessageRow | undefined> {
  const near = session.queue.find(({ message }) => message.id === id)?.message ?? history.find(id)
  if (near !== undefined || !session.stored || (isWhole(session, history) && !session.hidesSends)) return near
  return (await stored(session, id))?.userMessage
}

/** True when every run that ever started is in the window: none older, none replaced. */
function isWhole(session: Session, history: History): boolean {
  return !history.hasMore && history.runCount === session.lastPosition
}

function stored(session: Session, id: string): Promise<OpenRun | undefined> {
  return session.core.store.findSend(session.id, id)
}

/** Sent again: the same acknowledgement, nothing starts. Another body, or an id that is not a user's message: a conflict (I2). */
async function duplicate(
  session: Session,
  history: History,
  known: MessageRow,
  command: MessageSend,
): Promise<Outcome> {
  if (known.role !== 'user' || known.content !== command.content) throw new ParleyError('conflict')
  const waiting = session.queue.some(({ message }) => message.id === known.id)
  // It was stored behind our back, by a write that was given up: whoever goes on next takes it from the store.
  if (!waiting && !isKnownToRun(session, history, known) && (await isOpen(session, known.runId)))
    session.doubtful = true
  return {
    ack: { clientMessageId: known.id, runId: known.runId, state: waiting ? 'queued' : 'started', duplicate: true },
    after: () => void startNext(session),
  }
}

/** Memory alone can tell that its run is on or over: it is the active or the last one, or something was said after it. */
function isKnownToRun({ runId, lastRun }: Session, history: History, known: MessageRow): boolean {
  if (known.runId === runId || known.runId === lastRun?.runId) return true
  return history.find(known.id) !== undefined && history.rows.at(-1)?.id !== known.id
}

async function isOpen({ core, id }: Session, runId: string): Promise<boolean> {
  const status = (await core.store.findRun(id, runId))?.status
  return status === 'queued' || status === 'running'
}

/** Edit: the run of the message that is replaced; it may be older than the window, but neither gone nor still waiting. */
async function replacedRun(session: Session, history: History, id: string | undefined): Promise<string | undefined> {
  if (id === undefined) return undefined
  const row = history.find(id) ?? (history.hasMore ? (await stored(session, id))?.userMessage : undefined)
  if (row?.role !== 'user' || !(await isInHistory(session, history, row.runId)))
    throw new ParleyError('not_found', { message: 'The message to replace is not in this session' })
  return row.runId
}
