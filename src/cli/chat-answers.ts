import { ERRORS, isErrorCode } from '../protocol/errors.ts'
import type { Event } from '../protocol/events.ts'
import type { Ack, ControlFrame, Envelope, LastRun, SessionReady, SessionSnapshot } from '../protocol/frames.ts'
import { isRefusal } from './chat-link.ts'

type Standing = Pick<SessionReady, 'status' | 'runId' | 'lastRun'>
type End = Pick<LastRun, 'outcome' | 'code'>

const [STOPPED, CUT, UNANSWERED] = ['stopped', 'the answer was interrupted', 'what waited got no answer']

/** Follows the answers that are asked for or shown here to their ends, also those that came while there was no connection. */
export class ChatAnswers {
  /** Runs whose end was not told yet. */
  readonly #open = new Set<string>()
  readonly #told = new Set<string>()
  /** How runs ended, as far as it is known; the session's status has the last word on it. */
  readonly #ends = new Map<string, End>()
  /** The run whose events come. */
  #current: string | undefined
  #standing: Standing | undefined
  /** What opened a connection, until its tail or snapshot was shown. */
  #opening: SessionReady | undefined
  #isWhole = true

  /** Something is being answered, or waits for it. */
  get isBusy(): boolean {
    return this.#open.size > 0 || this.#standing?.status === 'processing'
  }

  /** Answers that are on or wait in the queue, as far as it is known. */
  get open(): number {
    return this.#open.size
  }

  /** All that there is to show was shown. */
  get isAtRest(): boolean {
    return !this.isBusy && this.#opening === undefined
  }

  /** False once an answer failed, was cut, or a message was refused. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Takes what was just shown; gives the ends that no event of it has told, in words. */
  frame(frame: ControlFrame | Envelope): readonly string[] {
    if ('chunk' in frame) return this.#event(frame.chunk)
    switch (frame.type) {
      case 'session.ready':
        this.#standing = frame
        this.#opening = frame.resumed === 'new' ? undefined : frame
        return this.#opening === undefined ? this.#settle(frame) : []
      case 'session.snapshot':
        return this.#opening?.resumed === 'snapshot' ? this.#opened(this.#opening, frame) : []
      case 'session.status':
        this.#standing = frame
        this.#opening = undefined
        return this.#settle(frame)
      case 'ack':
        return this.#acknowledged(frame)
      case 'error':
        // Without the message's id it answers another command, or is about the connection.
        if (frame.clientMessageId === undefined ? !frame.retryable : isRefusal(frame)) this.#isWhole = false
        return []
      default:
        return []
    }
  }

  #event(event: Event): readonly string[] {
    if (event.type === 'RUN_STARTED') {
      this.#current = event.runId
    } else if (event.type === 'RUN_FINISHED' && event.outcome.type === 'cancelled') {
      // The status that follows says who stopped it (P-74).
      this.#ends.set(event.runId, { outcome: 'cancelled' })
      this.#open.add(event.runId)
    } else if (event.type === 'RUN_FINISHED') {
      this.#tell(event.runId)
    } else if (event.type === 'RUN_ERROR') {
      this.#isWhole = false
      if (this.#current !== undefined) this.#tell(this.#current)
    }
    return []
  }

  /** P-41: what is sent again may have its answer, even one that was told as the last run of the session. */
  #acknowledged({ runId, state, duplicate }: Ack): readonly string[] {
    if (runId === undefined || state === 'cancelling' || state === 'noop' || this.#told.has(runId)) return []
    this.#open.add(runId)
    if (duplicate !== true || this.#opening !== undefined || this.#standing === undefined) return []
    return this.#settleOne(runId, this.#standing)
  }

  /** What the messages tell of runs that ended unheard; of the last one the frame before says more. */
  #opened(ready: SessionReady, { messages }: SessionSnapshot): readonly string[] {
    this.#opening = undefined
    for (const { role, metadata } of messages) {
      const { runId, interrupted } = metadata
      if (role === 'user' || runId === ready.runId) continue
      if (interrupted === true) this.#ends.set(runId, { outcome: 'interrupted' })
      else if (!this.#ends.has(runId)) this.#ends.set(runId, { outcome: 'success' })
    }
    return this.#settle(ready)
  }

  #settle(standing: Standing): readonly string[] {
    const { runId, lastRun } = standing
    if (lastRun !== undefined) this.#ends.set(lastRun.runId, lastRun)
    if (runId !== undefined && !this.#told.has(runId)) this.#open.add(runId)
    return [...new Set([...this.#open].flatMap((run) => this.#settleOne(run, standing)))]
  }

  /** Where nothing is on any more, what has not ended left the queue. */
  #settleOne(run: string, { status }: Standing): readonly string[] {
    const end = this.#ends.get(run)
    if (end === undefined && status === 'processing') return []
    this.#tell(run)
    if (end?.outcome === 'success') return []
    this.#isWhole = false
    return [end === undefined ? UNANSWERED : inWords(end)]
  }

  #tell(run: string): void {
    this.#open.delete(run)
    this.#told.add(run)
  }
}

function inWords({ outcome, code = '' }: End): string {
  if (outcome === 'cancelled') return STOPPED
  if (outcome === 'interrupted') return CUT
  return `the run failed: ${ERRORS[isErrorCode(code) ? code : 'internal_error'].message}`
}
