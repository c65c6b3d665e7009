import { ERRORS } from '../../src/protocol/errors.ts'
import { fitsUtf8 } from '../../src/protocol/text.ts'
import type { Conversation, PendingSend } from './conversation.ts'
import type { Failure } from './outcome.ts'
import { toCommand } from './send-command.ts'

/** What the server would refuse is refused here, before it costs a round trip. */
export function checkSend(send: PendingSend, { limits, queue, sends }: Conversation): Failure | undefined {
  if (send.text.trim() === '') return fail('invalid_value', 'There is nothing to send')
  const frame = JSON.stringify(toCommand(send))
  if (!fitsUtf8(send.text, limits.messageBytes) || !fitsUtf8(frame, limits.frameBytes))
    return fail('message_too_large', `The message is too long: ${kibibytes(limits.messageBytes)} KiB at most`)
  const waiting = send.behind
    ? queue.length + sends.filter((each) => each.behind && each.delivery.state !== 'failed').length
    : sends.filter(isOnItsWay).length - STARTS
  if (send.policy === 'enqueue' && waiting >= limits.queuedSends)
    return fail('queue_full', `${limits.queuedSends} messages are waiting already; wait for an answer or remove one`)
  return undefined
}

/** Of those that are on their way to a session at rest one starts, the others wait for their turn. */
const STARTS = 1

function isOnItsWay({ delivery }: PendingSend): boolean {
  return delivery.state === 'waiting' || delivery.state === 'sending'
}

const BYTES_PER_KIBIBYTE = 1024

function kibibytes(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_KIBIBYTE)
}

function fail(code: keyof typeof ERRORS, message: string): Failure {
  return { ok: false, code, message, retryable: ERRORS[code].retryable }
}
