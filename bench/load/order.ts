/**
 * What a load client asks of the upstream, carried as the text of its message through whatever server lies between.
 */
export type Order = {
  /** How many numbered tokens. */
  readonly tokens: number
  /** Tokens per second; 0 is full speed. */
  readonly rate: number
  /** Names the request in the upstream's report of aborted requests. */
  readonly tag: string
  /** At full speed: each token is a write, and a segment, of its own. */
  readonly apart: boolean
  /** The model calls a tool first, and answers when it has the result. */
  readonly tool?: boolean
}

const PATTERN = /bench tokens=(\d+) rate=(\d+) apart=(true|false) tool=(true|false) tag=([\w-]+)(?!.*bench tokens=)/s

export function orderText({ tokens, rate, apart, tool = false, tag }: Order): string {
  return `bench tokens=${tokens} rate=${rate} apart=${apart} tool=${tool} tag=${tag}`
}

/** The same of the scripted demo model: at its own rate, without a tool. It counts from 0, as tokens are numbered. */
export function countText({ tokens }: Order): string {
  return `count from 0 to ${tokens - 1}`
}

/** The last order in a text, or undefined. */
export function orderIn(text: string): Order | undefined {
  const found = PATTERN.exec(text)
  if (!found) return undefined
  const [, tokens, rate, apart, tool, tag = ''] = found
  return { tokens: Number(tokens), rate: Number(rate), apart: apart === 'true', tool: tool === 'true', tag }
}

/** A token's text: its number, the time the upstream made it (0 when not stamped), a space. */
export function tokenText(number: number, stampMicros: number): string {
  return stampMicros > 0 ? `${number}:${stampMicros} ` : `${number} `
}

export interface Reader {
  /** The number of the token that has to come next: how many have come. */
  readonly next: number
  /**
   * Reads what a frame brought; throws on a gap, a repeat or a stranger. `each` gets the number of a token and when it was due,
   * in microseconds of the machine's clock: 0 when nobody knows.
   */
  read(delta: string, each: (number: number, dueMicros: number) => void): void
}

/**
 * Reads token texts as they arrive, whole or joined, and proves that each came once and in order.
 * `tail` keeps what has no end yet: a join may cut anywhere.
 */
export class TokenReader implements Reader {
  next = 0
  #tail = ''

  read(delta: string, each: (number: number, dueMicros: number) => void): void {
    const text = this.#tail + delta
    let at = 0
    for (let end = text.indexOf(' ', at); end >= 0; end = text.indexOf(' ', at)) {
      const colon = text.indexOf(':', at)
      const stamped = colon >= 0 && colon < end
      const number = Number(text.slice(at, stamped ? colon : end))
      if (number !== this.next) throw new Error(`token ${this.next} expected, got "${text.slice(at, end)}"`)
      this.next += 1
      each(number, stamped ? Number(text.slice(colon + 1, end)) : 0)
      at = end + 1
    }
    this.#tail = text.slice(at)
  }
}

/**
 * Reads the numbers of a model that counts, `0 1 2 …`: the server joins pieces and splits none, so each delta ends with a number.
 * Nobody stamps them, but such a model keeps to a schedule. It is taken from the token that was least late so far; all others are
 * late by that measure, also those that waited behind a late one.
 */
export class CountReader implements Reader {
  next = 0
  readonly #period: number
  readonly #clock: () => number
  #start = Number.POSITIVE_INFINITY

  /** Microseconds between two numbers, and the clock in microseconds. */
  constructor(period: number, clock: () => number) {
    this.#period = period
    this.#clock = clock
  }

  read(delta: string, each: (number: number, dueMicros: number) => void): void {
    const now = this.#clock()
    for (const text of delta.split(' ')) {
      // A delta begins with the space before its number.
      if (text === '') continue
      if (text !== String(this.next)) throw new Error(`number ${this.next} expected, got "${text.slice(0, 40)}"`)
      const sinceStart = this.next * this.#period
      this.#start = Math.min(this.#start, now - sinceStart)
      each(this.next, Math.round(this.#start + sinceStart))
      this.next += 1
    }
  }
}
