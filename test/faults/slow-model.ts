import type { MessagesApiOptions, MessagesRequest, Reply } from '../support/messages-api.ts'
import { event, messageDelta, messageStart, type Step, sse } from '../support/messages-api-events.ts'
import { deferred } from '../support/turns.ts'

/** Characters of one piece of a long answer: as many as a fast model says in a second. */
const PIECE = 8 * 1024
/** The kernel holds about 4 MiB for a peer that reads nothing; a log of LOG_KIB and the outbox hold less than the rest. */
const PIECES = 720
const LAST_WORDS = ' And that is all.'
/** Characters from which pieces are cut, so that no two are alike. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789 '
/** A person's answer: one second of a slow model. */
const BRIEF = { tokens: 20, perSecond: 20 } as const
const LONG_KEY = /long-(\w+)\./

/** A long answer: what it says, whether all but its last words are out, and the way to let it end. */
export class LongAnswer {
  readonly key: string
  readonly text: string
  /** Characters that are out before its last words. */
  readonly poured: number
  isPoured = false
  readonly #gate = deferred()

  constructor(key: string) {
    this.key = key
    this.text = Array.from({ length: PIECES }, (_, nth) => this.#piece(nth)).join('') + LAST_WORDS
    this.poured = PIECES * PIECE
  }

  static get pieces(): number {
    return PIECES
  }

  get prompt(): string {
    return `Tell me long-${this.key}.`
  }

  end(): void {
    this.#gate.resolve()
  }

  *steps(): Generator<Step> {
    yield messageStart()
    yield event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
    for (let nth = 0; nth < PIECES; nth++) yield said(this.text.slice(nth * PIECE, (nth + 1) * PIECE))
    this.isPoured = true
    yield { step: 'hold', until: this.#gate.promise }
    yield said(LAST_WORDS)
    yield event({ type: 'content_block_stop', index: 0 })
    yield messageDelta([])
    yield event({ type: 'message_stop' })
  }

  #piece(nth: number): string {
    const from = ALPHABET.slice(nth % ALPHABET.length) + ALPHABET
    return `[${this.key} ${nth}] `.padEnd(PIECE, from)
  }
}

/** The model of the fault: long answers by their key, and to all else a brief one whose tokens tell when they were said. */
export class SlowModel {
  readonly #answers = new Map<string, LongAnswer>()
  readonly #piecesPerSecond: number

  constructor(piecesPerSecond: number) {
    this.#piecesPerSecond = piecesPerSecond
  }

  get options(): MessagesApiOptions {
    return { record: false, script: (request) => this.#reply(request) }
  }

  add(key: string): LongAnswer {
    const answer = new LongAnswer(key)
    this.#answers.set(key, answer)
    return answer
  }

  #reply({ body }: MessagesRequest): Reply {
    const key = LONG_KEY.exec(JSON.stringify(body['messages']))?.[1] ?? ''
    const answer = this.#answers.get(key)
    if (answer !== undefined) return { reply: 'stream', steps: answer.steps(), tokensPerSecond: this.#piecesPerSecond }
    return { reply: 'stream', steps: brief(), tokensPerSecond: BRIEF.perSecond }
  }
}

function* brief(): Generator<Step> {
  yield messageStart()
  yield event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
  for (let nth = 0; nth < BRIEF.tokens; nth++)
    yield { step: 'make', token: true, make: () => sse(textDelta(`${performance.now().toFixed(1)} `)) }
  yield event({ type: 'content_block_stop', index: 0 })
  yield messageDelta([])
  yield event({ type: 'message_stop' })
}

function said(text: string): Step {
  return event(textDelta(text), true)
}

function textDelta(text: string) {
  return { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }
}
