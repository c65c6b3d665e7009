import { randomUUID } from 'node:crypto'
import type {
  CallAnswer,
  Conversation,
  OpenCall,
  RecordChange,
  Sender,
  SendOptions,
  Sent,
  Snapshot,
} from '../../ports/conversations.ts'
import { ownerOf } from '../../ports/sessions.ts'
import type { MessageRow, Owner, SessionRow } from '../../ports/store.ts'
import { answerCalls } from '../calls/answer-calls.ts'
import { unanswered } from '../calls/open-calls.ts'
import { cap } from '../calls/tool-calls.ts'
import type { Caller } from '../connection/caller.ts'
import { messageSend } from '../handlers/message-send.ts'
import { runCancel } from '../handlers/run-cancel.ts'
import { sessionUpdate } from '../handlers/session-update.ts'
import { failedWith } from '../run/run-end.ts'
import { currentApp } from '../run/start-run.ts'
import type { History } from '../session/history.ts'
import { changeRecord, renew } from '../session/renew.ts'
import type { Session } from '../session/session.ts'
import { LogRunFeed } from './run-feed.ts'
import { versionOf } from './version.ts'

/** Milliseconds between looks at a session that someone waits for: below what a person feels. */
const IDLE_LOOK_MS = 20

/** A session for one request. Everything it does is what the socket's commands do. */
export class SessionConversation implements Conversation {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  get id(): string {
    return this.#session.id
  }

  get owner(): Owner {
    const { row } = this.#session
    return ownerOf(row, row.app)
  }

  get record(): SessionRow {
    return this.#session.row
  }

  get stored(): boolean {
    return this.#session.stored
  }

  get begun(): boolean {
    return this.#session.lastPosition > 0 || this.#session.queue.length > 0 || this.#session.runId !== undefined
  }

  async runs(): Promise<readonly string[]> {
    const session = this.#session
    // What comes after this call waits behind it, and is none of its business.
    if (session.runId === undefined && session.busy) return session.exclusive(async () => runsOf(session))
    return runsOf(session)
  }

  async newestRuns(): Promise<readonly string[]> {
    const session = this.#session
    if (session.core.store.others === 0) return this.runs()
    return session.exclusive(async () => {
      await renew(session)
      return runsOf(session)
    })
  }

  async snapshot(wants: (version: string) => boolean): Promise<Snapshot> {
    const session = this.#session
    const history = await session.history()
    // No await from here on: the version and what it stands for belong together.
    session.active?.flush()
    const { row, lastRun, status, runId } = session
    const version = versionOf(session)
    const open = openCallsOf(session, history)
    const facts = {
      version,
      record: row,
      status,
      ...(runId === undefined ? {} : { runId }),
      ...(lastRun === undefined ? {} : { lastRun }),
      ...(open.length === 0 ? {} : { open }),
    }
    if (!wants(version)) return facts
    const { messages, growing } = transcriptOf(session, history)
    return { ...facts, messages, ...(growing === undefined ? {} : { growing }) }
  }

  async send({ principal, from }: Sender, content: string, { listen, before }: SendOptions = {}): Promise<Sent> {
    const session = this.#session
    const { core } = session
    const caller = await this.#caller({ principal, from }, 'message.send')
    const clientMessageId = randomUUID()
    const { ack, after } = await messageSend(core, caller, {
      type: 'message.send',
      clientMessageId,
      content,
      policy: 'enqueue',
    })
    const { runId = '', state } = ack
    const feed = listen === true ? { feed: new LogRunFeed(session, runId) } : {}
    // Who listens is told first that the message was heard: a run that begins takes the loop for milliseconds.
    if (listen === true || before !== undefined) setImmediate(() => void this.#begin(runId, before, after))
    else after?.()
    return { runId, state: state === 'queued' ? 'queued' : 'started', ...feed }
  }

  /** The session is reserved for the run: a stop in the meantime is its end. */
  async #begin(runId: string, before: SendOptions['before'], after: (() => void) | undefined): Promise<void> {
    const { active } = this.#session
    try {
      await before?.()
    } catch (thrown) {
      if (active?.runId === runId) active.stop(failedWith(thrown))
    }
    after?.()
  }

  async answer(sender: Sender, answers: readonly CallAnswer[]): Promise<void> {
    const { core } = this.#session
    const caller = await this.#caller(sender, 'tool.result')
    const { after } = await answerCalls(
      core,
      caller,
      answers.map(({ toolCallId, content, isError }) => ({
        toolCallId,
        kind: 'client',
        outcome: { content: cap(content, core.settings.toolResultBytes), isError },
      })),
    )
    after?.()
  }

  async cancel(runIds: readonly string[]): Promise<void> {
    const session = this.#session
    session.core.telemetry.count('commands_total', 1, 'run.cancel')
    // All at once: what waits is taken out before the end of the active one is saved and the next could start.
    const outcomes = await Promise.all(
      runIds.map((runId) => runCancel(session, { type: 'run.cancel', runId, all: false })),
    )
    for (const { after } of outcomes) after?.()
  }

  async make(): Promise<void> {
    const session = this.#session
    await session.exclusive(async () => {
      if (!session.stored) await session.change({}, {}, session.core.settings.storeGiveUpMs)
    })
  }

  async update({ archived, vault, ...change }: RecordChange): Promise<void> {
    const session = this.#session
    const app = await currentApp(session)
    await sessionUpdate({ session, app }, { type: 'session.update', ...change })
    if (archived === undefined && vault === undefined) return
    const own = { ...(archived === undefined ? {} : { archived }), ...(vault === undefined ? {} : { vault }) }
    await changeRecord(session, own)
  }

  /** Throws `forbidden`. */
  async #caller({ principal, from }: Sender, command: string): Promise<Caller> {
    const session = this.#session
    session.core.access.require(principal, 'write')
    session.core.telemetry.count('commands_total', 1, command)
    return { session, app: await currentApp(session), principal, from, cursor: undefined }
  }

  async idle(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs
    while (this.#session.status === 'processing' && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, IDLE_LOOK_MS))
  }
}

/** Of a session on which nothing is on: what its newest run left for the browser. */
function openCallsOf({ waiting }: Session, history: History): OpenCall[] {
  const pending = unanswered(waiting).filter(({ kind }) => kind === 'client')
  if (waiting === undefined || pending.length === 0) return []
  const { id: runId } = waiting
  const made = new Map(
    history.runRows(runId).flatMap(({ toolCalls = [] }) => toolCalls.map((call) => [call.id, call.arguments])),
  )
  return pending.map(({ toolCallId, toolName, wallet }) => ({
    toolCallId,
    toolName,
    runId,
    arguments: made.get(toolCallId) ?? '',
    ...(wallet === undefined ? {} : { wallet }),
  }))
}

function runsOf({ runId, queue }: Session): readonly string[] {
  return [...(runId === undefined ? [] : [runId]), ...queue.map(({ run }) => run.id)]
}

/** What was said, what is being said, what waits to be answered. */
function transcriptOf(session: Session, history: History): { messages: MessageRow[]; growing: string | undefined } {
  const { active, queue, runId } = session
  const partial = active?.rows() ?? []
  const ids = new Set(partial.map(({ id }) => id))
  const said = [...history.rows.filter(({ id }) => !ids.has(id)), ...partial]
  const last = said.at(-1)
  const grows = runId !== undefined && last?.role === 'assistant' && last.runId === runId && active?.ended !== true
  return { messages: [...said, ...queue.map(({ message }) => message)], growing: grows ? last.id : undefined }
}
