import { isErrorCode } from '../../src/protocol/errors.ts'
import type { Dice } from '../support/dice.ts'
import { clientFrame, OPCODE } from '../transports/raw-peer.ts'
import type { Notes } from './both-transports.ts'
import { seen } from './counting-reader.ts'
import type { BadFrames } from './frames-bad.ts'
import { LoadLink } from './load-link.ts'

/** Bad frames that a connection may send within a minute and live (P-12). */
const FORGIVEN = 9
/** Commands of a connection that wants to stay: below the burst of 100 (P-13), with room for what bad frames turn out to be. */
const COMMANDS = 70
/** Frames of protocol and `pong`s, which nothing limits. */
const OTHERS = 60
/** Of one that asks for more than it may: as much again is refused, then it is closed (P-13). */
const FLOOD = 260
/** Milliseconds until every command is answered; both sides share the machine with 23 others of their kind. */
const ANSWER_MS = 30_000
/** Bytes of one write to the socket: frames begin and end anywhere in it. */
const MAX_WRITE = 4000
const INTERNALS = /\bat .*\(|node:|postgres|select |ParleyError|\/src\/|\/dist\//i
const GREETINGS = ['hello', 'fail', 'calculate 2+2', 'count from 1 to 3'] as const

const MAX_TOLD = 20

/** How a connection means it. Only who is `polite` is owed an answer to all it asked: the others are ended. */
export const MANNERS = ['polite', 'polite', 'polite', 'early', 'rude', 'flooding', 'broken'] as const
type Manner = (typeof MANNERS)[number]

/** What all lives together sent and were told. */
export class Tally {
  readonly sums = new Map<string, number>()
  frames = 0
  readonly #notes: Notes
  #broken = 0

  constructor(notes: Notes) {
    this.#notes = notes
  }

  add(what: string, by = 1): void {
    this.sums.set(what, (this.sums.get(what) ?? 0) + by)
  }

  /** The first few say enough. */
  broken(what: string): void {
    if (this.#broken++ < MAX_TOLD) this.#notes.broken(what)
  }
}

/** One connection with all its frames, from its handshake to its end. */
export class Life {
  readonly #manner: Manner
  readonly #dice: Dice
  readonly #bad: BadFrames
  readonly #tally: Tally
  #name: string
  readonly #owed = new Set<string>()
  readonly #answered = new Set<string>()
  #pings = 0
  #frames = 0
  #mustEnd = false
  #ready: () => void = () => {}
  #done: () => void = () => {}
  #closed: string | undefined
  /** It leaves by itself. */
  #isOver = false

  constructor(manner: Manner, name: string, dice: Dice, bad: BadFrames, tally: Tally) {
    this.#manner = manner
    this.#name = name
    this.#dice = dice
    this.#bad = bad
    this.#tally = tally
  }

  async live(port: number, session: string): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#ready = resolve
    })
    const early = this.#manner === 'early' ? { early: Buffer.concat(this.#some(5, 2, 3)) } : {}
    const events = { text: (text: string) => this.#hear(text), pong: () => this.#pong(), closed: this.#close }
    const link = await LoadLink.open({ port, path: `/ws?session=${session}`, ...early }, events).catch(() => undefined)
    this.#tally.add(`connections, ${this.#manner}`)
    // What comes before the handshake is over is no WebSocket's yet: it may be refused as HTTP.
    if (link === undefined) return this.#manner === 'early' ? this.#count() : this.#broken('it was not let in')
    if (this.#manner !== 'early') await ready
    const all = Buffer.concat(this.#script())
    for (let at = 0; at < all.length && link.open; ) {
      const end = at + 1 + this.#dice.below(Math.max(MAX_WRITE, all.length / 20))
      link.write(all.subarray(at, end))
      await link.flushed()
      at = end
    }
    await this.#finish()
    this.#count()
    this.#isOver = true
    link.destroy()
  }

  #count(): void {
    this.#tally.frames += this.#frames
    this.#tally.add('commands with an id', this.#owed.size)
    this.#tally.add('answers', this.#answered.size)
  }

  /** All that it says after it was let in. */
  #script(): Buffer[] {
    switch (this.#manner) {
      case 'polite':
        return this.#some(COMMANDS, FORGIVEN, OTHERS)
      case 'early':
        return this.#some(COMMANDS / 2, FORGIVEN - 2, OTHERS)
      case 'rude':
        this.#mustEnd = true
        return this.#some(COMMANDS, 4 * FORGIVEN, OTHERS)
      case 'flooding':
        return this.#some(FLOOD, 0, OTHERS)
      case 'broken':
        return [...this.#some(COMMANDS / 2, FORGIVEN, OTHERS), this.#counted(this.#fatal())]
    }
  }

  /** So many frames of each kind, in any order. */
  #some(commands: number, bad: number, others: number): Buffer[] {
    const kinds = [
      ...Array.from({ length: Math.floor(commands) }, () => () => this.#command()),
      ...Array.from({ length: bad }, () => () => this.#counted(this.#bad.next())),
      ...Array.from({ length: others }, () => () => this.#other()),
    ]
    return kinds
      .map((make) => ({ make, place: this.#dice.next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ make }) => make())
  }

  /** A valid command, now and then in pieces with a ping between them. */
  #command(): Buffer {
    const id = `${this.#name}-${this.#owed.size}`
    this.#owed.add(id)
    const text = JSON.stringify({ id, ...this.#ask() })
    if (!this.#dice.chance(0.1)) return this.#counted(clientFrame(text))
    const at = this.#dice.below(text.length)
    return Buffer.concat([
      this.#counted(clientFrame(text.slice(0, at), { fin: false })),
      this.#ping(),
      this.#counted(clientFrame(text.slice(at), { opcode: OPCODE.continuation })),
    ])
  }

  #ask(): object {
    const dice = this.#dice
    const roll = dice.below(100)
    if (roll < 2) {
      const content = dice.pick(GREETINGS)
      return {
        type: 'message.send',
        clientMessageId: `m${dice.below(9)}`,
        content,
        policy: dice.pick(['enqueue', 'reject', 'interrupt']),
      }
    }
    if (roll < 4) return { type: 'session.update', title: `t${dice.below(9)}` }
    if (roll < 20) return { type: 'session.update', model: 'no/such' }
    if (roll < 35) return { type: 'run.retry', runId: 'nothing' }
    if (roll < 50) return { type: 'history.get', limit: 1 + dice.below(5) }
    if (roll < 60) return { type: 'tool.claim', toolCallId: 'none' }
    if (roll < 70) return { type: 'tool.result', toolCallId: 'none', content: 'ü'.repeat(dice.below(50)) }
    if (roll < 80) return { type: 'run.resume', resume: [{ interruptId: 'i', status: 'resolved', payload: [[[]]] }] }
    return { type: 'run.cancel', all: dice.chance(0.5) }
  }

  #other(): Buffer {
    if (this.#dice.chance(0.4)) return this.#ping()
    if (this.#dice.chance(0.5)) return this.#counted(clientFrame('{"type":"pong"}'))
    return this.#counted(clientFrame(Buffer.alloc(this.#dice.below(126)), { opcode: OPCODE.pong }))
  }

  #ping(): Buffer {
    this.#pings++
    return this.#counted(clientFrame(Buffer.alloc(this.#dice.below(126)), { opcode: OPCODE.ping }))
  }

  #fatal(): Buffer {
    const { name, bytes, ends } = this.#bad.fatal()
    this.#mustEnd = ends
    this.#name += ` (${name})`
    this.#tally.add(`ended by ${name}`)
    return bytes
  }

  #counted(frame: Buffer): Buffer {
    this.#frames++
    return frame
  }

  #hear(text: string): void {
    if (text.startsWith('{"type":"session.ready"')) this.#ready()
    const isError = text.startsWith('{"type":"error"')
    if ((isError || text.includes('"RUN_ERROR"')) && INTERNALS.test(text)) this.#broken(`it was told ${text}`)
    if (!isError && !text.startsWith('{"type":"ack"')) return
    const { ref, code = '' } = seen(text)
    if (isError) {
      this.#tally.add(`errors, ${code}`)
      if (!isErrorCode(code) || code === 'internal_error') this.#broken(`it was told ${text}`)
    }
    if (ref === undefined || ref === 'x') return
    if (!this.#owed.has(ref)) return this.#broken(`it was told of what it did not ask: ${text}`)
    if (this.#answered.has(ref)) return this.#broken(`it was answered twice: ${text}`)
    this.#answered.add(ref)
    if (this.#isServed) this.#done()
  }

  #pong(): void {
    this.#pings--
    if (this.#isServed) this.#done()
  }

  get #isServed(): boolean {
    return this.#answered.size === this.#owed.size && this.#pings <= 0
  }

  readonly #close = (code: number | undefined): void => {
    if (this.#isOver) return
    this.#closed = String(code ?? 'no code')
    this.#tally.add(`closed (${this.#manner}) with ${this.#closed}`)
    this.#ready()
    this.#done()
  }

  async #finish(): Promise<void> {
    const isOver = () => this.#closed !== undefined || (this.#isServed && !this.#mustEnd)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ANSWER_MS)
    })
    const over = new Promise<void>((resolve) => {
      this.#done = () => {
        if (isOver()) resolve()
      }
    })
    if (!isOver()) await Promise.race([over, late])
    clearTimeout(timer)
    if (!isOver()) {
      const missing = [...this.#owed].filter((id) => !this.#answered.has(id))
      this.#broken(
        `after ${ANSWER_MS} ms ${missing.length} commands and ${this.#pings} pings were not answered, and it was not ended`,
      )
    }
    if (this.#manner === 'polite' && this.#closed !== undefined) this.#broken(`it was closed with ${this.#closed}`)
  }

  #broken(what: string): void {
    this.#tally.broken(`${this.#manner} ${this.#name}: ${what}`)
  }
}
