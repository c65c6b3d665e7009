/** Units of a chunk, and those that a text has room for at first: many are short. */
const CHUNK_UNITS = 2048
const [FIRST_UNITS, GROWTH] = [64, 4]
/** Up to this many units a string takes less than an array of its own, and its copies cost nothing. */
const SHORT_UNITS = 256
/** The last UTF-16 unit that one byte holds. */
const LAST_OF_A_BYTE = 0xff

type Units = Uint8Array | Uint16Array

const EMPTY: Units = new Uint8Array(0)

/**
 * A text that grows a token at a time and is read as a whole rarely. What it keeps of a token is its characters, outside of what
 * the collector copies: a string for each token would be copied twice before it is old. They take a byte a unit, two in a
 * chunk with one that needs them.
 */
export class GrowingText {
  /** As far as it was read as a whole: many may ask for the same. The chunks follow it. */
  #read = ''
  /** All are full but the last. */
  #chunks: Units[] = []
  /** The last one, as far as `#filled`. */
  #open: Units = EMPTY
  #filled = 0
  #length = 0

  /** UTF-16 units. */
  get length(): number {
    return this.#length
  }

  append(piece: string): void {
    for (let start = 0; start < piece.length; ) {
      if (this.#filled === this.#open.length) this.#makeRoom(piece.length - start)
      const stop = Math.min(piece.length, start + this.#open.length - this.#filled)
      this.#put(piece, start, stop)
      start = stop
    }
    this.#length += piece.length
  }

  /** What follows unit `start`; costs no more than what it gives. */
  from(start: number): string {
    const before = this.#read.length
    return start < before ? this.#read.slice(start) + this.#decoded(0) : this.#decoded(start - before)
  }

  toString(): string {
    if (this.#chunks.length > 0) {
      this.#read += this.#decoded(0)
      this.#chunks = []
      this.#open = EMPTY
      this.#filled = 0
    }
    return this.#read
  }

  /** Nothing is appended for long: lets go of what it could grow in. As one array, as a long string would be copied by the collector, too. */
  close(): void {
    if (this.#length <= SHORT_UNITS) return void this.toString()
    const wide = this.#chunks.some(({ BYTES_PER_ELEMENT }) => BYTES_PER_ELEMENT > 1)
    const units = this.#length - this.#read.length
    const whole = wide ? new Uint16Array(units) : new Uint8Array(units)
    let at = 0
    for (const chunk of this.#chunks) {
      const filled = this.#filledOf(chunk)
      whole.set(chunk.subarray(0, filled), at)
      at += filled
    }
    this.#chunks = [whole]
    this.#open = whole
    this.#filled = units
  }

  /** There is room for them. */
  #put(piece: string, start: number, stop: number): void {
    let [open, at] = [this.#open, this.#filled]
    for (let index = start; index < stop; index++) {
      const unit = piece.charCodeAt(index)
      if (unit > LAST_OF_A_BYTE && open.BYTES_PER_ELEMENT === 1) open = this.#replace(new Uint16Array(open))
      open[at++] = unit
    }
    this.#filled = at
  }

  /** For so many more units, or a part of them: only `close` makes anything longer than a chunk. */
  #makeRoom(units: number): void {
    const { length } = this.#open
    if (length === 0 || length >= CHUNK_UNITS) {
      this.#open = new Uint8Array(roomFor(units, FIRST_UNITS))
      this.#chunks.push(this.#open)
      this.#filled = 0
      return
    }
    const room = roomFor(length + units, length * GROWTH)
    const larger = this.#open.BYTES_PER_ELEMENT === 1 ? new Uint8Array(room) : new Uint16Array(room)
    larger.set(this.#open)
    this.#replace(larger)
  }

  /** What follows unit `start` of the chunks. */
  #decoded(start: number): string {
    let text = ''
    let skipped = 0
    for (const chunk of this.#chunks) {
      const filled = this.#filledOf(chunk)
      const from = Math.max(0, start - skipped)
      if (from < filled) text += decode(chunk, from, filled)
      skipped += filled
    }
    return text
  }

  #filledOf(chunk: Units): number {
    return chunk === this.#open ? this.#filled : chunk.length
  }

  #replace(open: Units): Units {
    this.#open = open
    this.#chunks[this.#chunks.length - 1] = open
    return open
  }
}

function roomFor(units: number, least: number): number {
  let room = least
  while (room < units && room < CHUNK_UNITS) room *= GROWTH
  return Math.min(room, CHUNK_UNITS)
}

function decode({ buffer, byteOffset, BYTES_PER_ELEMENT: size }: Units, start: number, stop: number): string {
  const bytes = Buffer.from(buffer, byteOffset + start * size, (stop - start) * size)
  return bytes.toString(size === 1 ? 'latin1' : 'utf16le')
}
