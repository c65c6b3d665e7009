/** Pieces after which they are joined: a token's own string dies young, and the collector has little to copy. */
const JOIN_PIECES = 4

/**
 * A text that grows a token at a time and is read as a whole rarely. One string that is appended to would be made anew at every
 * reading, and until then keep two objects for each token.
 */
export class GrowingText {
  #chunks: string[] = []
  #fresh: string[] = []
  #length = 0

  /** UTF-16 units. */
  get length(): number {
    return this.#length
  }

  append(piece: string): void {
    this.#length += piece.length
    if (this.#fresh.push(piece) >= JOIN_PIECES) this.#join()
  }

  /** What follows unit `start`; costs no more than what it gives. */
  from(start: number): string {
    this.#join()
    const parts: string[] = []
    let at = this.#length
    for (let index = this.#chunks.length - 1; index >= 0 && at > start; index--) {
      const chunk = this.#chunks[index] ?? ''
      at -= chunk.length
      parts.push(chunk)
    }
    return parts
      .toReversed()
      .join('')
      .slice(start - at)
  }

  toString(): string {
    this.#join()
    if (this.#chunks.length > 1) this.#chunks = [this.#chunks.join('')]
    return this.#chunks[0] ?? ''
  }

  #join(): void {
    if (this.#fresh.length === 0) return
    this.#chunks.push(this.#fresh.join(''))
    this.#fresh = []
  }
}
