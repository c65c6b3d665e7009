import { Parser } from 'htmlparser2'
import { DocumentError } from './document-error.ts'
import { MAX_HTML_DEPTH } from './limits.ts'
import { HeadingPath, type Section } from './section.ts'

/** What holds no text of the page, or the same on every page. */
const SKIPPED = new Set(['script', 'style', 'noscript', 'template', 'svg', 'math', 'iframe', 'object', 'nav', 'select'])
const PARAGRAPHS = new Set([
  'p',
  'div',
  'section',
  'article',
  'main',
  'aside',
  'header',
  'footer',
  'blockquote',
  'pre',
  'figure',
  'form',
  'ul',
  'ol',
  'dl',
  'table',
  'hr',
  'details',
  'address',
  'fieldset',
  'body',
])
/** Begin a line. */
const LINES = new Set(['br', 'li', 'tr', 'dt', 'dd', 'caption', 'figcaption', 'summary', 'option'])
const CELLS = new Set(['td', 'th'])
const HEADING = /^h([1-6])$/
/** Characters: a heading is shorter, or it is none. */
const MAX_TITLE = 500

/** Sections by heading, as text. A stream of tags without a tree: nothing here goes as deep as the page does. */
export function readHtml(source: string): Section[] {
  const reader = new HtmlReader()
  const parser = new Parser(reader)
  parser.write(source)
  parser.end()
  return reader.sections()
}

class HtmlReader {
  readonly #path = new HeadingPath()
  readonly #sections: Section[] = []
  /** Joined once a section: adding to one long text would copy it again and again. */
  #pieces: string[] = []
  #last = '\n'
  #depth = 0
  /** Elements within one another whose text is left out; the outermost is the first. */
  #skipping = 0
  #preformatted = 0
  #title: string | undefined

  onopentagname(name: string): void {
    this.#depth++
    if (this.#depth > MAX_HTML_DEPTH)
      throw new DocumentError(`has more than ${MAX_HTML_DEPTH} elements within one another`)
    if (SKIPPED.has(name)) this.#skipping++
    if (this.#skipping > 0) return
    if (name === 'pre') this.#preformatted++
    if (HEADING.test(name)) this.#close()
    if (name === 'title') this.#title = ''
    if (PARAGRAPHS.has(name)) this.#add('\n\n')
    else if (LINES.has(name)) this.#add('\n')
    if (name === 'li') this.#add('- ')
  }

  ontext(data: string): void {
    if (this.#skipping > 0) return
    if (this.#title !== undefined) this.#title += data
    else this.#add(this.#preformatted > 0 ? data : collapse(data, /\s/.test(this.#last)))
  }

  onclosetag(name: string): void {
    this.#depth--
    const skipped = this.#skipping > 0
    if (SKIPPED.has(name)) this.#skipping--
    if (skipped) return
    if (name === 'pre') this.#preformatted--
    const level = HEADING.exec(name)?.[1]
    if (level !== undefined) this.#enter(Number(level))
    else if (name === 'title') this.#endTitle()
    else if (CELLS.has(name)) this.#add(' | ')
    else if (PARAGRAPHS.has(name)) this.#add('\n\n')
  }

  sections(): Section[] {
    this.#close()
    return this.#sections
  }

  #enter(level: number): void {
    const title = this.#take()
    // One that somebody forgot to close has the rest of the page in it.
    if (title.length > MAX_TITLE) this.#add(title)
    else this.#path.enter(level, title)
  }

  /** The page's name is its first heading until it has one. */
  #endTitle(): void {
    if (this.#title !== undefined) this.#path.enter(1, this.#title)
    this.#title = undefined
  }

  #add(text: string): void {
    if (text === '') return
    this.#pieces.push(text)
    this.#last = text.slice(-1)
  }

  #take(): string {
    const text = this.#pieces.join('')
    this.#pieces = []
    this.#last = '\n'
    return text
  }

  #close(): void {
    const lines = this.#take().split('\n')
    const text = lines
      .map((line) => line.trimEnd())
      .join('\n')
      .replaceAll(/\n{3,}/g, '\n\n')
      .trim()
    if (text !== '') this.#sections.push({ heading: this.#path.toString(), text })
  }
}

/** Runs of white space are one space, as browsers show them; none after another. */
function collapse(data: string, afterSpace: boolean): string {
  const text = data.replaceAll(/\s+/g, ' ')
  return afterSpace && text.startsWith(' ') ? text.slice(1) : text
}
