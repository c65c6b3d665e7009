import { truncateUtf8 } from '../protocol/text.ts'
import { MAX_HEADING_CHARACTERS } from './limits.ts'

/** Text under one heading. */
export type Section = {
  /** With the headings above it, outermost first; empty where there are none. */
  readonly heading: string
  readonly text: string
}

const SEPARATOR = ' > '

/** The headings that hold at a place of a document, by level. */
export class HeadingPath {
  #levels: (string | undefined)[] = []

  /** A heading ends those of its level and below. `level` from 1. */
  enter(level: number, title: string): void {
    this.#levels = this.#levels.slice(0, level - 1)
    this.#levels[level - 1] = truncateUtf8(title.replaceAll(/\s+/g, ' ').trim(), MAX_HEADING_CHARACTERS)
  }

  toString(): string {
    const path = this.#levels.filter((title) => title !== undefined && title !== '')
    // Where all do not fit the innermost say more.
    while (path.length > 1 && path.join(SEPARATOR).length > MAX_HEADING_CHARACTERS) path.shift()
    return path.join(SEPARATOR)
  }
}
