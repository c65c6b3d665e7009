import type { Ack } from '../../src/protocol/frames.ts'
import type { Answer } from './clients-peer.ts'

export type Policy = 'enqueue' | 'reject' | 'interrupt'

/** A message that a person wrote, and all that the server answered to it: its last answer is final. */
export type Send = {
  readonly id: string
  readonly content: string
  readonly policy: Policy
  readonly at: number
  readonly acks: Ack[]
  refusedBy: string | undefined
}

export type Cancel = {
  readonly runId: string | undefined
  readonly all: boolean
  readonly at: number
  answer: Answer | undefined
  answeredAt: number
  /** The process that answered had the run itself. */
  here: boolean
}
export type Retry = { readonly of: string; readonly at: number; answer: Answer | undefined; answeredAt: number }

/** What the people of one session asked for and what they were told: nothing of the server's own. */
export class Journal {
  readonly sends: Send[] = []
  readonly cancels: Cancel[] = []
  readonly retries: Retry[] = []
  #clock = 0

  /** Moments in the order in which this process lived them. */
  tick(): number {
    return ++this.#clock
  }
}

export function isAck(answer: Answer | undefined): answer is Ack {
  return typeof answer === 'object' && answer.type === 'ack'
}
