import type { PendingCall, RunRow, RunStatus } from '../../ports/store.ts'
import { type ParleyError, toParleyError } from '../../protocol/errors.ts'
import type { Interrupt, TerminalEvent, Usage } from '../../protocol/events.ts'
import type { LastRun, RunOutcome, SessionStatus } from '../../protocol/frames.ts'

/**
 * How a run ended. `waiting`: calls of it wait for the browser or a person, another run goes on when they are answered.
 * `interrupted` is the server's doing (drain, crash, policy), `cancelled` a person's.
 */
export type RunEnd =
  | { readonly kind: 'success'; readonly stopReason: string }
  | { readonly kind: 'waiting'; readonly pending: readonly PendingCall[] }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'failed'; readonly error: ParleyError }

type EndFacts = { readonly runStatus: RunStatus; readonly outcome: RunOutcome; readonly sessionStatus: SessionStatus }

const FACTS: Readonly<Record<RunEnd['kind'], EndFacts>> = {
  success: { runStatus: 'finished', outcome: 'success', sessionStatus: 'idle' },
  waiting: { runStatus: 'finished', outcome: 'success', sessionStatus: 'idle' },
  cancelled: { runStatus: 'cancelled', outcome: 'cancelled', sessionStatus: 'interrupted' },
  interrupted: { runStatus: 'interrupted', outcome: 'interrupted', sessionStatus: 'interrupted' },
  failed: { runStatus: 'failed', outcome: 'error', sessionStatus: 'idle' },
}

export function endFacts(end: RunEnd): EndFacts {
  return FACTS[end.kind]
}

function outcomeOf(status: RunStatus): RunOutcome {
  const facts = Object.values(FACTS).find((row) => row.runStatus === status)
  return facts?.outcome ?? 'interrupted'
}

/** A stored run that has ended, as clients are told of it. */
export function toLastRun(run: RunRow): LastRun {
  return {
    runId: run.id,
    outcome: outcomeOf(run.status),
    ...(run.errorCode === undefined ? {} : { code: run.errorCode }),
  }
}

/** The status of a session in which nothing is on. */
export function statusAfter(lastRun: LastRun | undefined): SessionStatus {
  const outcome = lastRun?.outcome
  return outcome === 'cancelled' || outcome === 'interrupted' ? 'interrupted' : 'idle'
}

/** What the run said is all that it wanted to say. */
export function isWhole({ kind }: RunEnd): boolean {
  return kind === 'success' || kind === 'waiting'
}

export function failedWith(thrown: unknown): RunEnd {
  return { kind: 'failed', error: toParleyError(thrown) }
}

/** The one terminal event (I1). */
export function terminalEvent(threadId: string, runId: string, end: RunEnd, usage: readonly Usage[]): TerminalEvent {
  const counted = usage.length === 0 ? {} : { usage: [...usage] }
  switch (end.kind) {
    case 'failed':
      return { type: 'RUN_ERROR', message: end.error.message, code: end.error.code, ...counted }
    case 'success':
      return {
        type: 'RUN_FINISHED',
        threadId,
        runId,
        outcome: { type: 'success' },
        result: { stopReason: end.stopReason },
        ...counted,
      }
    case 'waiting':
      return { type: 'RUN_FINISHED', threadId, runId, outcome: waitingOutcome(end.pending), ...counted }
    default:
      return { type: 'RUN_FINISHED', threadId, runId, outcome: { type: 'cancelled' }, ...counted }
  }
}

/** What AG-UI's clients expect: a call for the browser is a success without its result, an approval an interrupt. */
function waitingOutcome(pending: readonly PendingCall[]): Extract<TerminalEvent, { type: 'RUN_FINISHED' }>['outcome'] {
  const interrupts = pending.filter(({ kind }) => kind === 'approval').map(toInterrupt)
  return interrupts.length === 0 ? { type: 'success' } : { type: 'interrupt', interrupts }
}

function toInterrupt({ toolCallId, toolName }: PendingCall): Interrupt {
  return {
    id: toolCallId,
    reason: 'tool_call',
    message: `May ${toolName} be called?`,
    toolCallId,
    responseSchema: { type: 'object', properties: { approved: { type: 'boolean' } }, required: ['approved'] },
  }
}
