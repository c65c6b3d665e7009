import type { Ack } from '../../src/protocol/frames.ts'
import type { Conversation, Delivery, PendingSend } from './conversation.ts'

/** What this client does with its own sends. */
export type SendInput =
  | { readonly kind: 'send.added'; readonly send: PendingSend }
  | { readonly kind: 'send.delivery'; readonly id: string; readonly delivery: Delivery }
  | { readonly kind: 'send.removed'; readonly id: string }
  /** The connection is gone: what was not acknowledged goes out again with the next one. */
  | { readonly kind: 'sends.returned' }

export function reduceSend(conversation: Conversation, input: SendInput): Conversation {
  const { sends } = conversation
  switch (input.kind) {
    case 'send.added':
      return { ...conversation, sends: [...sends, input.send] }
    case 'send.delivery':
      return deliver(conversation, input.id, input.delivery)
    case 'send.removed':
      return { ...conversation, sends: sends.filter((send) => send.id !== input.id) }
    case 'sends.returned':
      return {
        ...conversation,
        sends: sends.map((send) =>
          send.delivery.state === 'sending' ? { ...send, delivery: { state: 'waiting' } } : send,
        ),
      }
    default:
      return input satisfies never
  }
}

export function acknowledge(conversation: Conversation, id: string, ack: Ack): Conversation {
  const send = conversation.sends.find((each) => each.id === id)
  if (send === undefined || ack.runId === undefined) return conversation
  // P-41: known from before, and nothing of it is on or waits: it was answered, or taken out of the queue elsewhere.
  if (ack.duplicate === true && ack.state === 'started' && conversation.status !== 'processing')
    return keepSends(conversation, (each) => each.id !== id)
  if (ack.state !== 'queued') return deliver(conversation, id, { state: 'sent', runId: ack.runId })
  const listed = conversation.queue.some((item) => item.clientMessageId === id)
  const item = { runId: ack.runId, clientMessageId: id, content: send.text }
  return listed ? conversation : { ...conversation, queue: [...conversation.queue, item] }
}

/** `draining` is no verdict on the message: it goes to the server that comes next. */
export function refuse(
  conversation: Conversation,
  id: string,
  error: { readonly code: string; readonly message: string; readonly retryable: boolean },
): Conversation {
  const { code, message, retryable } = error
  const again = code === 'draining'
  return deliver(conversation, id, again ? { state: 'waiting' } : { state: 'failed', code, message, retryable })
}

/** Drops the sends that the server shows by now, as messages or in the queue. */
export function settle(conversation: Conversation): Conversation {
  const { messages, queue } = conversation
  const shown = new Set([...messages.map((message) => message.id), ...queue.map((item) => item.clientMessageId)])
  return keepSends(conversation, (send) => !shown.has(send.id))
}

/** As settle; and when nothing is on, what was acknowledged and is not shown has been taken out of history elsewhere. */
export function settleAtRest(conversation: Conversation): Conversation {
  const settled = settle(conversation)
  const resting = conversation.status !== 'processing' && conversation.sync.phase === 'live'
  return resting ? keepSends(settled, (send) => send.delivery.state !== 'sent') : settled
}

function keepSends(conversation: Conversation, keeps: (send: PendingSend) => boolean): Conversation {
  const sends = conversation.sends.filter(keeps)
  return sends.length === conversation.sends.length ? conversation : { ...conversation, sends }
}

function deliver(conversation: Conversation, id: string, delivery: Delivery): Conversation {
  return {
    ...conversation,
    sends: conversation.sends.map((send) => (send.id === id ? { ...send, delivery } : send)),
  }
}
