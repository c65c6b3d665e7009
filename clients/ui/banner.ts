import { textButton } from './buttons.ts'
import { el, setAttribute, setText } from './dom.ts'
import type { Notice, Remedy } from './wording.ts'

const MS_PER_SECOND = 1000

const LABELS = {
  retry: 'Try now',
  settings: 'Change App or key',
  'new-chat': 'New conversation',
} as const satisfies Record<Remedy, string>

export type Remedies = Readonly<Partial<Record<Remedy, () => void>>>

/** What happened to the connection and what is done about it; no higher than nothing when all is well. The countdown is for eyes only: it would never stop talking. */
export class Banner {
  readonly #remedies: Remedies
  readonly #text = el('span', { class: 'banner-text', role: 'status' })
  readonly #countdown = el('span', { class: 'countdown', 'aria-hidden': true })
  readonly #buttons = el('span', { class: 'button-row' })
  readonly element = el(
    'div',
    { class: 'banner' },
    el('span', { class: 'banner-words' }, this.#text, this.#countdown),
    this.#buttons,
  )
  #notice: Notice | undefined
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(remedies: Remedies) {
    this.#remedies = remedies
  }

  update(notice: Notice | undefined): void {
    if (JSON.stringify(notice) === JSON.stringify(this.#notice)) return
    const before = this.#notice?.remedies ?? []
    const { tone, text = '', remedies = [] } = notice ?? {}
    this.#notice = notice
    clearInterval(this.#timer)
    setAttribute(this.element, 'data-tone', tone)
    setText(this.#text, text)
    if (before.join() !== remedies.join()) this.#buttons.replaceChildren(...this.#offer(remedies))
    this.#count()
    if (typeof notice?.attempt === 'object') this.#timer = setInterval(() => this.#count(), MS_PER_SECOND)
  }

  dispose(): void {
    clearInterval(this.#timer)
  }

  #offer(remedies: readonly Remedy[]): HTMLElement[] {
    return remedies.flatMap((remedy) => {
      const act = this.#remedies[remedy]
      return act === undefined ? [] : [textButton(LABELS[remedy], act)]
    })
  }

  #count(): void {
    const attempt = this.#notice?.attempt
    if (attempt === undefined) return setText(this.#countdown, '')
    const seconds = attempt === 'now' ? 0 : Math.ceil((attempt.at - Date.now()) / MS_PER_SECOND)
    setText(this.#countdown, seconds > 0 ? `Next try in ${seconds} s` : 'Trying…')
  }
}
