import type { ModelEvent, StopReason } from '../ports/provider.ts'
import type { MessageRow, SessionRow, StoredToolCall } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { type Event, REWIND_EVENT } from '../protocol/events.ts'
import { type AskHost, ask } from './ask.ts'
import { Checkpoint } from './checkpoint.ts'
import type { Core } from './core.ts'
import { Draft, type DraftHost } from './draft.ts'
import { EventBuffer } from './event-buffer.ts'
import { failedWith, type RunEnd } from './run-end.ts'
import { resultEvent, startedEvent } from './run-events.ts'
import { logFence, type RunHost, type RunPlan } from './run-plan.ts'
import { STOPPED } from './tool-calls.ts'
import { resultRow, runCalls, type ToolHost } from './tool-round.ts'
import { UsageMeter } from './usage.ts'

const MS_PER_SECOND = 1000

/** What it is doing: `waiting` to be begun, hearing a `model` (since when the last event came), or `working` on tools and saves. */
type Phase =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'model'; readonly askedAt: number; heardAt: number }
  | { readonly kind: 'working' }
  | { readonly kind: 'ended'; readonly end: RunEnd }

/**
 * One stretch of model work and its tool calls. Its end is decided once, by whoever comes first: the model, a person, a
 * deadline or a drain; from then on nothing that the provider or a tool still says is heard.
 */
export class Run implements DraftHost, ToolHost, AskHost {
  readonly plan: RunPlan
  readonly core: Core
  readonly usage = new UsageMeter()
  readonly #session: RunHost
  readonly #controller = new AbortController()
  readonly #buffer: EventBuffer
  readonly #checkpoint: Checkpoint
  /** Rows after the user message that no draft holds: earlier answers and results. */
  readonly #rows: MessageRow[] = []
  /** Results that are on their way into the store. */
  readonly #settling: MessageRow[] = []
  #draft: Draft | undefined
  #nextIndex: number
  #phase: Phase = { kind: 'waiting' }
  #onEnd: ((end: RunEnd) => void) | undefined

  constructor(session: RunHost, plan: RunPlan) {
    this.plan = plan
    this.core = session.core
    this.#session = session
    this.#buffer = new EventBuffer((events) => session.log.append(events, logFence(plan.row)))
    this.#checkpoint = new Checkpoint(session, this.startedAt, () => this.#draft?.unsaved())
    this.#nextIndex = plan.userMessage.index + 1
  }

  get runId(): string {
    return this.plan.row.id
  }

  get sessionId(): string {
    return this.#session.id
  }

  get session(): SessionRow {
    return this.#session.row
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get startedAt(): number {
    return this.plan.row.startedAt ?? this.plan.row.queuedAt
  }

  get ended(): boolean {
    return this.#phase.kind === 'ended'
  }

  nextIndex(): number {
    return this.#nextIndex++
  }

  conversation(): readonly MessageRow[] {
    return [...this.#session.pinnedHistory.rows, ...this.#rows]
  }

  /** What the run has said so far, after its user message; what an end cut short is marked. */
  rows(): MessageRow[] {
    const interrupted = this.#phase.kind === 'ended' && this.#phase.end.kind !== 'success'
    return [...this.#rows, ...(this.#draft?.rows(interrupted) ?? [])]
  }

  /** What a snapshot may hold of it; `opening` says the rest. */
  snapshotRows(): MessageRow[] {
    return [...this.#rows, ...(this.#draft?.snapshotRows() ?? [])]
  }

  /** For a client that joins now: the run and the items that are open in it. Everything said so far is in the log before. */
  opening(): Event[] {
    if (this.#phase.kind === 'waiting') return []
    this.#buffer.flush()
    return [startedEvent(this.plan), ...(this.#draft?.opening() ?? [])]
  }

  /** Hands what was said since the last time to the log. */
  flush(): void {
    this.#buffer.flush()
  }

  /** Announces the run and lets it work. Resolves when its end is decided; the session then saves and tells it. */
  async begin(): Promise<RunEnd> {
    const { rewindFrom } = this.plan
    this.#buffer.push(startedEvent(this.plan))
    if (rewindFrom !== undefined) this.#buffer.push({ type: 'CUSTOM', name: REWIND_EVENT, value: { from: rewindFrom } })
    this.#buffer.flush()
    if (this.#phase.kind === 'ended') return this.#phase.end
    this.#phase = { kind: 'working' }
    return new Promise((resolve) => {
      this.#onEnd = resolve
      this.#work().then(
        (reason) => this.stop({ kind: 'success', stopReason: reason }),
        (thrown: unknown) => this.stop(failedWith(thrown)),
      )
    })
  }

  /** Decides the end, unless it is decided: closes open items, aborts what goes on upstream. Nothing is said after it. */
  stop(end: RunEnd): boolean {
    if (this.#phase.kind === 'ended') return false
    this.#phase = { kind: 'ended', end }
    this.#draft?.close()
    this.#buffer.flush()
    this.#controller.abort()
    this.#onEnd?.(end)
    return true
  }

  /** Called several times a second: deadlines, and what a crash may take. */
  tick(now: number): void {
    const { providerStallMs, runMs } = this.core.settings
    if (this.#phase.kind === 'model' && now - this.#phase.heardAt > providerStallMs) this.#fail('provider_stalled')
    else if (now - this.startedAt > runMs) this.#fail('run_limit')
    else if (!this.ended) this.#checkpoint.saveWhenDue(now)
  }

  /** Calls that have no result at the end get the one that is being saved, else one that says so: history stays valid (I5). */
  stoppedResults(): MessageRow[] {
    const answered = new Set(this.#rows.map((row) => row.toolCallId))
    const open = this.rows()
      .flatMap((row) => row.toolCalls ?? [])
      .filter((call) => !answered.has(call.id))
    const rows = open.map(
      (call) => this.#settling.find((row) => row.toolCallId === call.id) ?? resultRow(this, call, STOPPED),
    )
    return rows.sort((a, b) => a.index - b.index)
  }

  openDraft(): Draft {
    const now = this.core.now()
    this.#draft = new Draft(this, this.#buffer)
    if (!this.ended) this.#phase = { kind: 'model', askedAt: now, heardAt: now }
    return this.#draft
  }

  heard(event: ModelEvent): void {
    if (this.#phase.kind !== 'model') return
    const now = this.core.now()
    const { askedAt, heardAt } = this.#phase
    if (askedAt === heardAt) this.core.telemetry.observe('run_first_event_seconds', (now - askedAt) / MS_PER_SECOND)
    this.#phase.heardAt = Math.max(now, askedAt + 1)
    this.#checkpoint.touch()
    if (event.type === 'usage') this.usage.draft(event.usage)
    if (event.type !== 'stop') return
    this.usage.settle()
    this.#phase = { kind: 'working' }
  }

  async settle(row: MessageRow): Promise<void> {
    this.#settling.push(row)
    await this.#session.save({ messages: [row] }, this.core.settings.endSaveMs)
    if (this.ended) return
    this.#rows.push(row)
    this.#buffer.push(resultEvent(row))
    this.#buffer.flush()
  }

  #fail(code: 'provider_stalled' | 'run_limit'): void {
    this.stop(failedWith(new ParleyError(code)))
  }

  async #work(): Promise<StopReason> {
    const { app, row } = this.plan
    const tools = this.core.tools.resolve(app)
    const resolved = this.core.providers.resolve(row.model ?? app.model.default)
    if (resolved === undefined) throw new ParleyError('provider_misconfigured')
    for (let round = 0; round < this.core.settings.toolRounds; round++) {
      const reason = await ask(this, resolved.provider, resolved.model, tools)
      if (this.ended || (reason !== 'tools' && reason !== 'pause')) return reason
      const calls = await this.#saveAnswer()
      // It may have been stopped while that was being saved: no tool runs any more.
      if (this.ended) return reason
      if (reason === 'tools') await runCalls(this, calls, tools)
      if (this.ended) return reason
    }
    throw new ParleyError('run_limit')
  }

  /** The answer with its calls is durable before any tool runs. */
  async #saveAnswer(): Promise<readonly StoredToolCall[]> {
    const rows = this.#draft?.rows() ?? []
    this.#draft = undefined
    this.#rows.push(...rows)
    await this.#session.save({ messages: rows }, this.core.settings.endSaveMs)
    return rows.flatMap((row) => row.toolCalls ?? [])
  }
}
