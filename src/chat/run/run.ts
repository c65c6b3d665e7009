import type { ModelEvent } from '../../ports/provider.ts'
import type { MessageRow, SessionRow, StoredToolCall } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { type Event, REWIND_EVENT } from '../../protocol/events.ts'
import type { ApprovedChange } from '../calls/approved-calls.ts'
import { divide, offeredTools } from '../calls/offered-tools.ts'
import { STOPPED } from '../calls/tool-calls.ts'
import { callsWithoutResult, resultRow, runCalls, type ToolHost } from '../calls/tool-round.ts'
import { tellCrowd } from '../connection/tell-crowd.ts'
import type { Core } from '../core.ts'
import { type AskHost, askInLine } from './ask.ts'
import { Checkpoint } from './checkpoint.ts'
import { Draft, type DraftHost } from './draft.ts'
import { EventBuffer } from './event-buffer.ts'
import { ModelLine } from './model-line.ts'
import { failedWith, isWhole, type RunEnd } from './run-end.ts'
import { resultEvent, startedEvent } from './run-events.ts'
import type { RunPhase } from './run-phase.ts'
import { logFence, type RunHost, type RunPlan } from './run-plan.ts'
import { UsageMeter } from './usage.ts'

const MS_PER_SECOND = 1000
/** One for all runs: an error of its own would take its stack in the moment that somebody waits for. */
const ABORTED = new Error('the run has ended')

/**
 * One stretch of model work and its tool calls. Its end is decided once, by whoever comes first: the model, a person, a
 * deadline or a drain; from then on nothing that the provider or a tool still says is heard.
 */
export class Run implements DraftHost, ToolHost, AskHost {
  readonly plan: RunPlan
  readonly core: Core
  readonly usage = new UsageMeter()
  /** By the process's uptime, as all that is measured here: the clock may be set. */
  readonly begunAt: number
  readonly #session: RunHost
  readonly #controller = new AbortController()
  readonly #buffer: EventBuffer
  readonly #checkpoint: Checkpoint
  readonly #line: ModelLine
  /** Rows after the user message that no draft holds: earlier answers and results. */
  readonly #rows: MessageRow[] = []
  /** Results that are on their way into the store. */
  readonly #settling: MessageRow[] = []
  #draft: Draft | undefined
  #nextIndex: number
  #phase: RunPhase = { kind: 'waiting' }
  #onEnd: ((end: RunEnd) => void) | undefined

  constructor(session: RunHost, plan: RunPlan) {
    this.plan = plan
    this.core = session.core
    this.begunAt = session.core.uptime()
    this.#session = session
    this.#buffer = new EventBuffer((events) => session.log.append(events, logFence(plan.row)))
    const unsaved = () => (this.ended ? undefined : this.#draft?.unsaved())
    this.#checkpoint = new Checkpoint(session, this.begunAt, unsaved, () => this.stop({ kind: 'interrupted' }))
    this.#nextIndex = plan.userMessage === undefined ? 0 : plan.userMessage.index + 1
    const { model } = plan.app
    this.#line = new ModelLine(session.core.providers, plan.row.model ?? model.default, model.fallbacks ?? [])
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

  /** `provider/model` of the one that answers, as far as that is known. */
  get model(): string {
    return this.#line.name
  }

  get said(): boolean {
    return this.rows().length > 0
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
    const interrupted = this.#phase.kind === 'ended' && !isWhole(this.#phase.end)
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

  show(): Promise<void> | undefined {
    return tellCrowd(this.#buffer, this.#session.audience.size, this.core.turns)
  }

  /** Announces the run and lets it work. Resolves when its end is decided; the session then saves and tells it. */
  async begin(): Promise<RunEnd> {
    const { rewindFrom } = this.plan
    this.#buffer.push(startedEvent(this.plan))
    if (rewindFrom !== undefined) this.#buffer.push({ type: 'CUSTOM', name: REWIND_EVENT, value: { from: rewindFrom } })
    for (const row of this.plan.results) this.#buffer.push(resultEvent(row))
    this.#buffer.flush()
    if (this.#phase.kind === 'ended') return this.#phase.end
    this.#phase = { kind: 'working' }
    return new Promise((resolve) => {
      this.#onEnd = resolve
      this.#work().then(
        (end) => this.stop(end),
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
    this.#controller.abort(ABORTED)
    this.#onEnd?.(end)
    return true
  }

  /** Called several times a second: deadlines, and what a crash may take. */
  tick(time: number): void {
    const { providerStallMs, runMs } = this.core.settings
    if (this.#phase.kind === 'model' && time - this.#phase.heardAt > providerStallMs) this.#fail('provider_stalled')
    else if (time - this.begunAt > runMs) this.#fail('run_limit')
    else if (!this.ended) this.#checkpoint.saveWhenDue(time)
  }

  /** What the end has to store of the run before: results of its approved calls that have none. */
  stoppedApproved(): ApprovedChange {
    return this.plan.approved?.stopped() ?? { runs: [], messages: [] }
  }

  /** I5: calls without a result at the end that wait for none get the one that is being saved, else one that says so. */
  stoppedResults(): MessageRow[] {
    const waiting = this.#phase.kind === 'ended' && this.#phase.end.kind === 'waiting' ? this.#phase.end.pending : []
    const open = callsWithoutResult(this.rows(), waiting)
    const settling = (id: string) => this.#settling.find((row) => row.toolCallId === id)
    return open.map((call) => settling(call.id) ?? resultRow(this, call.id, STOPPED)).sort((a, b) => a.index - b.index)
  }

  openDraft(): Draft {
    const time = this.core.uptime()
    this.#draft = new Draft(this, this.#buffer)
    if (!this.ended) this.#phase = { kind: 'model', askedAt: time, heardAt: time }
    return this.#draft
  }

  heard(event: ModelEvent): void {
    if (this.#phase.kind !== 'model') return
    const time = this.core.uptime()
    const { askedAt, heardAt } = this.#phase
    if (askedAt === heardAt) this.core.telemetry.observe('run_first_event_seconds', (time - askedAt) / MS_PER_SECOND)
    this.#phase.heardAt = Math.max(time, askedAt + 1)
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
    this.#tell(row)
  }

  /** A result of the run before is a part of history at once: what this run says comes after it. */
  settledBefore(result: MessageRow): void {
    this.#session.pinnedHistory.put([result])
    this.#tell(result)
  }

  #tell(result: MessageRow): void {
    this.#buffer.push(resultEvent(result))
    this.#buffer.flush()
  }

  #fail(code: 'provider_stalled' | 'run_limit'): void {
    this.stop(failedWith(new ParleyError(code)))
  }

  async #work(): Promise<RunEnd> {
    const offered = await offeredTools(this.core.tools, this.plan.app, this.signal)
    await this.plan.approved?.make(this, offered, (change) => this.#session.save(change, this.core.settings.endSaveMs))
    for (let round = 0; round < this.core.settings.toolRounds; round++) {
      const stopReason = this.ended ? 'end' : await askInLine(this, this.#line, offered)
      const end: RunEnd = { kind: 'success', stopReason }
      if (this.ended || (stopReason !== 'tools' && stopReason !== 'pause')) return end
      const calls = await this.#saveAnswer()
      const { now, pending } = divide(calls, offered, this.plan.row.position)
      // It may have been stopped while that was being saved: no tool runs any more.
      if (!this.ended && stopReason === 'tools') await runCalls(this, now, offered)
      if (this.ended) return end
      if (pending.length > 0) return { kind: 'waiting', pending }
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
