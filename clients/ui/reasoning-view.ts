import type { ReasoningEntry } from '../core/entries.ts'
import { el, setText } from './dom.ts'
import type { EntryView } from './entry-view.ts'
import { icon } from './icons.ts'

/** What the model thought before it answered: one line, and all of it for who opens it. */
export class ReasoningView implements EntryView<ReasoningEntry> {
  readonly #label = el('span', { class: 'fold-label' })
  readonly #body = el('div', { class: 'fold-body reasoning-text', dir: 'auto' })
  readonly #details = el(
    'details',
    { class: 'fold reasoning' },
    el('summary', {}, icon('chevron'), this.#label),
    this.#body,
  )
  readonly element = el('div', { class: 'entry' }, this.#details)

  update({ text, streaming }: ReasoningEntry): void {
    setText(this.#label, streaming ? 'Thinking…' : 'Thoughts')
    this.#details.classList.toggle('active', streaming)
    setText(this.#body, text)
  }
}
