import { HeadingPath, type Section } from './section.ts'

const FENCE = /^ {0,3}(`{3,}|~{3,})/
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/
/** A line under a line of text that makes it a heading. */
const UNDERLINE = /^ {0,3}(?:(=+)|-+)[ \t]*$/
/** Characters: a heading is shorter, or it is none. */
const MAX_TITLE = 500
const CLOSING_MARKS = /[ \t]+#+[ \t]*$/
/** The block of settings that tools put in front of a page. */
const FRONT_MATTER = /^---\r?\n[^]*?\n---[ \t]*(?:\r?\n|$)/

/**
 * Sections by heading; the text stays Markdown, which models read well. A scan over lines: what is in a code block is no
 * heading, and no input takes more than linear time.
 */
export function readMarkdown(source: string): Section[] {
  const reader = new MarkdownReader()
  for (const line of withoutFrontMatter(source).split(/\r?\n/)) reader.line(line)
  return reader.end()
}

function withoutFrontMatter(source: string): string {
  return source.startsWith('---') ? source.replace(FRONT_MATTER, '') : source
}

class MarkdownReader {
  readonly #path = new HeadingPath()
  readonly #sections: Section[] = []
  #lines: string[] = []
  #fence: string | undefined

  line(line: string): void {
    const fence = FENCE.exec(line)?.[1]
    if (this.#fence !== undefined) {
      if (fence?.startsWith(this.#fence) === true && line.trim() === fence) this.#fence = undefined
      this.#lines.push(line)
    } else if (fence !== undefined) {
      this.#fence = fence
      this.#lines.push(line)
    } else this.#text(line)
  }

  end(): Section[] {
    this.#close()
    return this.#sections
  }

  #text(line: string): void {
    const heading = line.length > MAX_TITLE ? null : HEADING.exec(line)
    if (heading?.[1] !== undefined) {
      this.#close()
      this.#path.enter(heading[1].length, (heading[2] ?? '').replace(CLOSING_MARKS, ''))
      return
    }
    const underline = UNDERLINE.exec(line)
    if (underline !== null && this.#isParagraphOfOneLine()) {
      const title = this.#lines.pop() ?? ''
      this.#close()
      this.#path.enter(underline[1] === undefined ? 2 : 1, title)
      return
    }
    this.#lines.push(line)
  }

  /** Longer ones stay text: the rule below them is more often one that parts than one that underlines. */
  #isParagraphOfOneLine(): boolean {
    const title = this.#lines.at(-1) ?? ''
    if (title.trim() === '' || title.length > MAX_TITLE) return false
    return !/^\s*(?:[-*+>|]|\d+[.)])/.test(title) && (this.#lines.at(-2) ?? '').trim() === ''
  }

  #close(): void {
    const text = this.#lines.join('\n').trim()
    this.#lines = []
    if (text !== '') this.#sections.push({ heading: this.#path.toString(), text })
  }
}
