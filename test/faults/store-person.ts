import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeServerFrame } from '../../src/protocol/codec.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { Ack, ControlFrame, ErrorFrame } from '../../src/protocol/frames.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import type { Dice } from '../support/dice.ts'
import { SocketClient } from '../support/socket-client.ts'
import type { FaultDatabase } from './store-database.ts'
import type { Tally } from './store-watch.ts'

/** Words of an answer: about a second and a half of the stub's pace at most, so that answers end in every phase. */
const [WORDS_MIN, WORDS_SPREAD] = [10, 50]
/** Share of sends after which another follows at once, and waits in the queue. */
const IN_A_ROW = 0.3
/** uWebSockets.js now and then cuts a new socket; clients come back. */
const CONNECT_TRIES = 5
const TAB_MS = 3000

/** What the model says to a message: known to both ends, so that no word can be missing or come twice. */
export function answerTo(content: string): string {
  const words = Number(content.split(' ').at(-1))
  return `You said ${content}:${Array.from({ length: words }, (_, index) => ` w${index}`).join('')}`
}

export type Asked = { readonly id: string; readonly content: string; runId?: string }
type Told = { text: string; terminals: readonly string[] }

/** One person with one connection: asks, asks again what was refused, waits for the answer, and looks behind each promise. */
export class Person {
  readonly session = randomUUID()
  readonly asked: Asked[] = []
  readonly #name: string
  readonly #url: string
  readonly #dice: Dice
  readonly #tally: Tally
  readonly #database: FaultDatabase
  readonly #told = new Map<string, Told>()
  readonly #replies = new Map<string, (reply: Ack | ErrorFrame) => void>()
  #socket: SocketClient | undefined
  #running = ''
  /** A run whose end was told as not saved. */
  #pinned: Asked | undefined
  /** Looks into the store that are on: a server that is paused lets them wait, and the person goes on. */
  readonly #looks: Promise<void>[] = []
  #leaving = false
  /** What it waits for. */
  doing = 'nothing'
  acks = 0

  constructor(name: string, url: string, dice: Dice, tally: Tally, database: FaultDatabase) {
    this.#name = name
    this.#url = `${url.replace('http', 'ws')}/ws?app=default`
    this.#dice = dice
    this.#tally = tally
    this.#database = database
  }

  async connect(): Promise<void> {
    this.#socket = await open(this.#url, this.session)
    void this.#listen(this.#socket)
  }

  /** Until `leave`; then what is on is still brought to its end. */
  async talk(): Promise<void> {
    while (!this.#leaving) {
      const batch = [await this.#ask()]
      if (this.#dice.chance(IN_A_ROW)) batch.push(await this.#ask())
      for (const asked of batch) await this.#hear(asked)
    }
    this.doing = 'the store, to look behind what it was promised'
    await Promise.all(this.#looks)
  }

  leave(): void {
    this.#leaving = true
  }

  async close(): Promise<void> {
    this.#leaving = true
    const socket = this.#socket
    this.#socket = undefined
    await socket?.close()
  }

  /** Another tab on this session: has it, without a store, all that was answered lately? */
  async openTab(): Promise<void> {
    const before = this.asked.filter(({ runId }) => this.#terminals(runId).length > 0).slice(-3)
    const late = setTimeout(() => this.#broken(`a second tab got no snapshot within ${TAB_MS} ms`), TAB_MS)
    const tab = await open(this.#url, this.session)
    await tab.until((frame) => control(frame, 'session.ready') !== undefined)
    const snapshot = control(
      await tab.until((frame) => control(frame, 'session.snapshot') !== undefined),
      'session.snapshot',
    )
    clearTimeout(late)
    const shown = snapshot?.messages ?? []
    for (const { id, content, runId } of before) {
      const answered = shown.some(
        (row) => row.role === 'assistant' && row.metadata.runId === runId && row.content === answerTo(content),
      )
      if (!answered || !shown.some((row) => row.id === id)) this.#broken(`a second tab misses ${id} or its answer`)
    }
    this.#tally.count('tabs opened while the store was away')
    await tab.close()
  }

  async #ask(): Promise<Asked> {
    const id = `m${this.asked.length}`
    const asked: Asked = { id, content: `${this.#name} ${id} ${WORDS_MIN + this.#dice.below(WORDS_SPREAD)}` }
    this.asked.push(asked)
    for (;;) {
      this.doing = `the acknowledgement of ${id}`
      const reply = await this.#send(asked)
      if (reply.type === 'ack') {
        asked.runId = reply.runId ?? ''
        this.acks++
        this.#tally.count('sends acknowledged')
        if (reply.duplicate === true) this.#tally.count('sends acknowledged that had been refused and stored')
        this.#looks.push(this.#isDurable(asked, this.#pinned))
        this.#pinned = undefined
        return asked
      }
      this.#judge(id, reply)
      await delay(reply.retryAfterMs ?? 100)
    }
  }

  #send({ id, content }: Asked): Promise<Ack | ErrorFrame> {
    return new Promise((resolve) => {
      this.#replies.set(id, resolve)
      this.#socket?.sendJson({ type: 'message.send', clientMessageId: id, content })
    })
  }

  #judge(id: string, { code, retryable, retryAfterMs }: ErrorFrame): void {
    this.#tally.count(`sends refused as ${code}`)
    if (this.#pinned !== undefined) this.#tally.count('sends refused while an answer waited to be saved')
    if (code !== 'store_unavailable' && code !== 'overloaded') this.#broken(`${id} was refused as ${code}`)
    if (!retryable || retryAfterMs === undefined) this.#broken(`${id} was refused as ${code} without when to come back`)
  }

  /** I2: behind an acknowledgement there are rows; and no send is taken before the answer that waited is saved. */
  async #isDurable({ id, content }: Asked, pinned: Asked | undefined): Promise<void> {
    const rows = await this.#database.look(
      (sql) =>
        sql<{ content: string }[]>`select content from messages where session_id = ${this.session} and id = ${id}`,
    )
    if (rows[0]?.content !== content) this.#broken(`I2: ${id} was acknowledged and is not in the store`)
    if (pinned !== undefined) await this.#isSaved(pinned, 'a send was taken')
  }

  async #hear(asked: Asked): Promise<void> {
    const { id, content, runId = '' } = asked
    this.doing = `the end of the run of ${id}`
    await this.#tally.watch.until(() => this.#terminals(runId).length > 0 || this.#socket === undefined, 2 ** 31 - 1)
    const terminal = this.#terminals(runId)[0]
    if (terminal === undefined) return
    this.#tally.count(`runs ended as ${terminal}`)
    if (this.#told.get(runId)?.text !== answerTo(content)) this.#broken(`I6: the answer to ${id} was not told whole`)
    if (terminal === 'success') this.#looks.push(this.#isSaved(asked, 'its end was told'))
    else if (terminal === 'store_unavailable') this.#pinned = asked
    else this.#broken(`I1: the run of ${id} ended as ${terminal}`)
  }

  /** I3. */
  async #isSaved({ id, content, runId = '' }: Asked, when: string): Promise<void> {
    const rows = await this.#database.look(
      (sql) => sql<{ status: string; content: string | null }[]>`
        select r.status, m.content from runs r
        left join messages m on m.session_id = r.session_id and m.run_id = r.id and m.role = 'assistant'
        where r.session_id = ${this.session} and r.id = ${runId}`,
    )
    this.#tally.count('answers looked up behind their end')
    if (rows.length === 1 && rows[0]?.status === 'finished' && rows[0].content === answerTo(content)) return
    this.#broken(`I3: ${when} while the answer to ${id} was not saved (${rows[0]?.status ?? 'no run'})`)
  }

  async #listen(socket: SocketClient): Promise<void> {
    for (;;) {
      const text = await socket.next().catch(() => undefined)
      if (text === undefined) break
      const frame = decodeServerFrame(text)
      if (frame === undefined) this.#broken('a frame that is none')
      else if ('chunk' in frame) this.#event(frame.chunk)
      else if (frame.type === 'ack' || frame.type === 'error') this.#reply(frame)
    }
    if (!this.#leaving)
      this.#broken(`the connection was closed (${(await socket.closed).code}), it waited for ${this.doing}`)
    this.#socket = undefined
    this.#tally.watch.nudge()
  }

  #reply(frame: Ack | ErrorFrame): void {
    const id = frame.clientMessageId ?? ''
    const waiting = this.#replies.get(id)
    this.#replies.delete(id)
    if (waiting === undefined) this.#broken(`an answer to ${id || frame.type} that nobody asked for`)
    waiting?.(frame)
  }

  #event(event: Event): void {
    switch (event.type) {
      case 'RUN_STARTED':
        this.#running = event.runId
        if (this.#told.has(event.runId)) this.#broken('I1: a run started twice')
        this.#told.set(event.runId, { text: '', terminals: [] })
        return
      case 'TEXT_MESSAGE_CONTENT': {
        const told = this.#told.get(this.#running)
        if (told !== undefined) told.text += event.delta
        return
      }
      case 'RUN_FINISHED':
        return this.#ended(event.outcome?.type ?? 'success')
      case 'RUN_ERROR':
        return this.#ended(event.code ?? 'no code')
      default:
        return
    }
  }

  #ended(how: string): void {
    const told = this.#told.get(this.#running)
    if (told === undefined || told.terminals.length > 0) return this.#broken('I1: a second terminal event')
    told.terminals = [how]
    this.#tally.watch.nudge()
  }

  #terminals(runId = ''): readonly string[] {
    return this.#told.get(runId)?.terminals ?? []
  }

  #broken(what: string): void {
    this.#tally.broken(`${this.#name}: ${what}`)
  }
}

function control<T extends ControlFrame['type']>(
  text: string,
  type: T,
): Extract<ControlFrame, { type: T }> | undefined {
  const frame = decodeServerFrame(text)
  const is = (one: typeof frame): one is Extract<ControlFrame, { type: T }> =>
    one !== undefined && 'type' in one && one.type === type
  return is(frame) ? frame : undefined
}

async function open(url: string, session: string): Promise<SocketClient> {
  for (let tries = 1; ; tries++) {
    const socket = await SocketClient.connect(url, { protocols: offerProtocols(session) })
    const first = await socket.next().catch(() => undefined)
    if (first !== undefined) {
      socket.giveBack()
      return socket
    }
    if (tries === CONNECT_TRIES) throw new Error('the server cut every new socket')
  }
}
