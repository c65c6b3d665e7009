import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { CommandInput } from '../../src/protocol/commands.ts'
import type { Dice } from '../support/dice.ts'
import { type Cancel, isAck, type Journal, type Policy, type Retry, type Send } from './clients-journal.ts'
import type { Answer, Peer } from './clients-peer.ts'
import type { CuttingProxy, LinkPlan } from './clients-proxy.ts'
import type { Oracle } from './clients-script.ts'

const ACTIONS = [
  'send',
  'send',
  'send',
  'stop',
  'stop this',
  'stop late',
  'take out',
  'stop all',
  'retry',
  'cut',
  'cut',
  'go silent',
  'bad line',
] as const
const POLICIES = ['enqueue', 'enqueue', 'reject', 'interrupt'] as const satisfies readonly Policy[]
/** Milliseconds between two things that a person does: runs begin, go on and end in between. */
const PACE_MS = 120
/** Bytes until a cut: within a frame, within the next few, or some answers later. */
const CUT_BYTES = [0, 1, 40, 400, 4000] as const
/** Bytes of a handshake in either direction, about. */
const HANDSHAKE_BYTES = 300
const MAX_CHUNK_BYTES = 50
const MAX_DELAY_MS = 3
/** Milliseconds that a client believes in a silent link. */
const SILENCE_MS = 150
/** Milliseconds until a send goes out again that was refused for now. */
const AGAIN_MS = 50

export type PersonOptions = {
  readonly peer: Peer
  readonly proxy: CuttingProxy
  readonly journal: Journal
  readonly oracle: Oracle
  readonly dice: Dice
}

/** Someone at a client on a bad line: sends, stops, takes back, asks again, and loses the connection. */
export class Person {
  readonly peer: Peer
  readonly proxy: CuttingProxy
  readonly #journal: Journal
  readonly #oracle: Oracle
  readonly #dice: Dice
  readonly #deliveries: Promise<void>[] = []
  #done = false

  constructor({ peer, proxy, journal, oracle, dice }: PersonOptions) {
    this.peer = peer
    this.proxy = proxy
    this.#journal = journal
    this.#oracle = oracle
    this.#dice = dice
  }

  /** Does so many things, a moment between each two. */
  async act(count: number): Promise<void> {
    for (let nth = 0; nth < count; nth++) {
      await delay(this.#dice.below(PACE_MS))
      await this.#do(this.#dice.pick(ACTIONS))
    }
  }

  /** Loses connections for so many milliseconds. */
  async stumble(forMs: number): Promise<void> {
    const end = performance.now() + forMs
    while (performance.now() < end) {
      await delay(this.#dice.below(PACE_MS * 2))
      await this.#do(this.#dice.pick(['cut', 'cut', 'go silent', 'bad line']))
    }
  }

  /** Writes a message and keeps sending it until the server has said yes or no. */
  send(content: string, policy: Policy): void {
    const send: Send = {
      id: randomUUID(),
      content,
      policy,
      at: this.#journal.tick(),
      acks: [],
      refusedBy: undefined,
    }
    this.#journal.sends.push(send)
    this.#deliveries.push(this.#deliver(send))
  }

  /** Stops what is on, and waits for the answer to that. */
  async interrupt(): Promise<Answer> {
    return this.#cancel(undefined, false)
  }

  /** All that was sent has its final answer. */
  async delivered(): Promise<void> {
    await Promise.all(this.#deliveries)
  }

  /** Gives up on what is not delivered yet. */
  stop(): void {
    this.#done = true
  }

  async #do(action: (typeof ACTIONS)[number]): Promise<void> {
    const { runId, lastRun, queue } = this.peer.view.standing
    switch (action) {
      case 'send':
        return this.send(this.#oracle.write(), this.#dice.pick(POLICIES))
      case 'stop':
        return void this.#cancel(undefined, false)
      case 'stop this':
        return void this.#cancel(runId, false)
      case 'stop late':
        return void this.#cancel(lastRun?.runId, false)
      case 'take out':
        return queue.length === 0 ? undefined : void this.#cancel(queue[this.#dice.below(queue.length)]?.runId, false)
      case 'stop all':
        return this.#dice.chance(0.3) ? void this.#cancel(undefined, true) : undefined
      case 'retry':
        return lastRun === undefined ? undefined : this.#retry(lastRun.runId)
      case 'cut':
        this.proxy.plan(this.#plan())
        return this.proxy.cut(this.#dice.pick(['up', 'down']), this.#bytes())
      case 'go silent':
        return this.#silence()
      case 'bad line':
        this.proxy.plan(this.#plan())
        return this.peer.giveUp()
    }
  }

  async #silence(): Promise<void> {
    this.proxy.hold()
    await delay(this.#dice.below(SILENCE_MS))
    this.peer.giveUp()
  }

  /** How the next link is: most are whole, some break in their handshake, some are slow or come in crumbs. */
  #plan(): LinkPlan {
    const dice = this.#dice
    return {
      ...(dice.chance(0.3)
        ? { cut: { direction: dice.pick(['up', 'down']), afterBytes: 1 + dice.below(HANDSHAKE_BYTES) } }
        : {}),
      ...(dice.chance(0.5) ? { reset: true } : {}),
      ...(dice.chance(0.3) ? { chunkBytes: 1 + dice.below(MAX_CHUNK_BYTES) } : {}),
      ...(dice.chance(0.2) ? { delayMs: dice.below(MAX_DELAY_MS) } : {}),
    }
  }

  #bytes(): number {
    const bytes = this.#dice.pick(CUT_BYTES)
    return bytes === 0 ? 0 : 1 + this.#dice.below(bytes)
  }

  /** Nobody waits for the answer: what a person does next does not depend on it. */
  async #cancel(runId: string | undefined, all: boolean): Promise<Answer> {
    const cancel: Cancel = { runId, all, at: this.#journal.tick(), answer: undefined, answeredAt: 0, here: false }
    this.#journal.cancels.push(cancel)
    const named = runId === undefined ? {} : { runId }
    const answer = await this.#note(cancel, (id) => ({ type: 'run.cancel', id, all, ...named }))
    cancel.here = isAck(answer) && answer.runId !== undefined && this.peer.story.wasHere(answer.runId)
    return answer
  }

  #retry(of: string): void {
    const retry: Retry = { of, at: this.#journal.tick(), answer: undefined, answeredAt: 0 }
    this.#journal.retries.push(retry)
    void this.#note(retry, (id) => ({ type: 'run.retry', id, runId: of }))
  }

  async #note(entry: Cancel | Retry, command: (id: string) => CommandInput): Promise<Answer> {
    const answer = await this.peer.ask(command)
    entry.answer = answer
    entry.answeredAt = this.#journal.tick()
    return answer
  }

  async #deliver(send: Send): Promise<void> {
    const { id: clientMessageId, content, policy } = send
    while (!this.#done) {
      if (!this.peer.ready) await this.peer.until(() => this.peer.ready, AGAIN_MS)
      const answer = await this.peer.ask((id) => ({ type: 'message.send', id, clientMessageId, content, policy }))
      if (isAck(answer)) {
        send.acks.push(answer)
        return
      }
      if (answer !== 'cut' && !isForNow(answer.code)) {
        send.refusedBy = answer.code
        return
      }
      await delay(AGAIN_MS)
    }
  }
}

/** Refusals that are no verdict on the message: the same send, later, is what the protocol asks for. */
function isForNow(code: string): boolean {
  return ['draining', 'store_unavailable', 'overloaded', 'rate_limit_exceeded'].includes(code)
}
