import type { AnswerEntry } from '../core/entries.ts'
import { el } from './dom.ts'
import type { EntryView } from './entry-view.ts'
import { MarkdownView } from './markdown-view.ts'

/** What the assistant says. */
export class AnswerView implements EntryView<AnswerEntry> {
  readonly element = el('article', { class: 'entry answer', 'aria-label': 'Assistant' })
  readonly #markdown = new MarkdownView()

  constructor() {
    this.element.append(this.#markdown.element)
  }

  update({ text, streaming }: AnswerEntry): void {
    this.element.classList.toggle('streaming', streaming)
    this.#markdown.set(text, !streaming)
  }
}
