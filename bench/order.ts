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
}

const PATTERN = /bench tokens=(\d+) rate=(\d+) apart=(true|false) tag=([\w-]+)(?!.*bench tokens=)/s

export function orderText({ tokens, rate, apart, tag }: Order): string {
  return `bench tokens=${tokens} rate=${rate} apart=${apart} tag=${tag}`
}

/** The last order in a text, or undefined. */
export function orderIn(text: string): Order | undefined {
  const found = PATTERN.exec(text)
  if (!found) return undefined
  const [, tokens, rate, apart, tag = ''] = found
  return { tokens: Number(tokens), rate: Number(rate), apart: apart === 'true', tag }
}

/** A token's text: its number, the time the upstream made it (0 when not stamped), a space. */
export function tokenText(number: number, stampMicros: number): string {
  return stampMicros > 0 ? `${number}:${stampMicros} ` : `${number} `
}

/**
 * Reads token texts as they arrive, whole or joined, and proves that each came once and in order.
 * `tail` keeps what has no end yet: a join may cut anywhere.
 */
export class TokenReader {
  next = 0
  #tail = ''

  /** Calls `each` with the stamp (0 when none) of every token in `delta`; throws on a gap, a repeat or a stranger. */
  read(delta: string, each: (stampMicros: number) => void): void {
    const text = this.#tail + delta
    let at = 0
    for (let end = text.indexOf(' ', at); end >= 0; end = text.indexOf(' ', at)) {
      const colon = text.indexOf(':', at)
      const stamped = colon >= 0 && colon < end
      const number = Number(text.slice(at, stamped ? colon : end))
      if (number !== this.next) throw new Error(`token ${this.next} expected, got "${text.slice(at, end)}"`)
      this.next += 1
      each(stamped ? Number(text.slice(colon + 1, end)) : 0)
      at = end + 1
    }
    this.#tail = text.slice(at)
  }
}
