import type { EndEntry } from '../core/entries.ts'
import { copyButton, iconButton } from './buttons.ts'
import { el, setChildren, setText } from './dom.ts'
import type { EntryActions, EntryContext, EntryView } from './entry-view.ts'
import { TimeLabel } from './time-label.ts'
import { endText } from './wording.ts'

/** The foot of an answer: what became of it where that is worth a word, and copy and retry. */
export class EndView implements EntryView<EndEntry> {
  readonly element = el('div', { class: 'entry end' })
  readonly #note = el('p', { class: 'end-note' })
  readonly #buttons = el('div', { class: 'entry-actions' })
  readonly #copy: HTMLButtonElement
  readonly #retry: HTMLButtonElement
  readonly #when = new TimeLabel()
  #entry: EndEntry

  constructor(entry: EndEntry, actions: EntryActions) {
    this.#entry = entry
    this.#copy = copyButton('Copy answer', () => actions.textOf(this.#entry.answers))
    this.#retry = iconButton('retry', 'Try again', () => actions.retry(this.#entry.runId), {
      class: 'icon-button retry',
    })
    this.#retry.append(el('span', {}, 'Try again'))
  }

  update(entry: EndEntry, { busy, refused }: EntryContext): void {
    this.#entry = entry
    this.#when.set(entry.at)
    const text = endText(entry)
    setText(this.#note, text)
    this.element.dataset['outcome'] = entry.end.outcome
    const offersRetry = !refused && (entry.isLast || entry.end.outcome !== 'success')
    this.#retry.disabled = busy
    const label = entry.isLast ? 'Try again' : 'Try again from here (replaces what follows)'
    this.#retry.title = label
    this.#retry.setAttribute('aria-label', label)
    setChildren(this.#buttons, [
      ...(entry.answers.length > 0 ? [this.#copy] : []),
      ...(offersRetry ? [this.#retry] : []),
      this.#when.element,
    ])
    setChildren(this.element, [...(text === '' ? [] : [this.#note]), this.#buttons])
  }
}
