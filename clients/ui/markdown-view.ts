import { el, patchChildren } from './dom.ts'
import { lexMarkdown, renderBlock } from './markdown.ts'

/** Characters of unfinished text up to which it is rendered in every frame; a frame has room for about this much. */
const EVERY_FRAME_CHARS = 4_000
/** Milliseconds from the start of one rendering of a longer unfinished block to the next, at least. */
const SLOW_RENDER_MS = 120
/** As many times as long as such a rendering took, the next one waits: the page has to stay free for who types. */
const RESTS_PER_RENDERING = 5

/**
 * Markdown that grows. Blocks that are complete are rendered once; only the last one is rendered again as text arrives, so
 * that a long answer costs no more per token than a short one. Its elements stay as far as they can: code that is still being
 * written can be selected, scrolled and copied.
 */
export class MarkdownView {
  readonly element = el('div', { class: 'markdown' })
  #raw = ''
  #text = ''
  #done = false
  /** The blocks that are complete, as written. */
  #settled: string[] = []
  /** Characters of them. */
  #settledChars = 0
  /** Elements of them. */
  #settledElements = 0
  #renderedAt = 0
  /** Milliseconds that the last rendering of a longer block took. */
  #tookMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  set(raw: string, done: boolean): void {
    if (raw === this.#raw && done === this.#done) return
    this.#raw = raw
    // As the lexer reads it, so that the lengths of blocks are places in it.
    const text = raw.replaceAll('\r\n', '\n')
    if (!text.startsWith(this.#text)) this.#reset()
    this.#text = text
    this.#done = done
    clearTimeout(this.#timer)
    const pause = Math.max(SLOW_RENDER_MS, this.#tookMs * RESTS_PER_RENDERING)
    const wait = this.#renderedAt + pause - performance.now()
    if (this.#isLong && !done && wait > 0) this.#timer = setTimeout(() => this.#render(), wait)
    else this.#render()
  }

  #render(): void {
    this.#renderedAt = performance.now()
    if (this.#done && !this.#settledRightly()) this.#reset()
    const { blocks, links } = lexMarkdown(this.#text.slice(this.#settledChars))
    const from = this.#settledElements
    // Blank lines are tokens, too: what counts is the last block with content.
    const last = this.#done ? blocks.length : blocks.findLastIndex((block) => block.type !== 'space')
    const wanted = blocks.flatMap((block, index) => {
      const elements = renderBlock(block, links)
      if (index < last) this.#settle(block.raw, elements.length)
      return elements
    })
    patchChildren(this.element, wanted, from)
    this.#tookMs = 0
    // Asked for its height, the browser lays it out now: of long code that is most of the work.
    if (this.#isLong && this.element.offsetHeight >= 0) this.#tookMs = performance.now() - this.#renderedAt
  }

  /** Of the text that is not settled. */
  get #isLong(): boolean {
    return this.#text.length - this.#settledChars > EVERY_FRAME_CHARS
  }

  #settle(raw: string, elements: number): void {
    this.#settled.push(raw)
    this.#settledChars += raw.length
    this.#settledElements += elements
  }

  /** Seldom the end of a text tells what an earlier block was: a link's definition, a rule that was the start of a word. */
  #settledRightly(): boolean {
    if (this.#settled.length === 0) return true
    const { blocks, links } = lexMarkdown(this.#text)
    return Object.keys(links).length === 0 && this.#settled.every((raw, index) => blocks[index]?.raw === raw)
  }

  #reset(): void {
    this.#settled = []
    this.#settledChars = 0
    this.#settledElements = 0
  }
}
