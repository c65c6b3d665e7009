import { MAX_TITLE_LENGTH } from '../../src/protocol/limits.ts'
import type { Conversation } from '../core/conversation.ts'
import { iconButton } from './buttons.ts'
import { el, setText } from './dom.ts'
import { isComposing, isPlainEnter } from './keys.ts'

export type HeaderOptions = {
  readonly untitled: string
  readonly rename: (title: string) => void
  /** Absent where visitors have no say in it. */
  readonly setModel?: (model: string) => void
  /** Buttons before the title and at the end of the line. */
  readonly before: readonly HTMLElement[]
  readonly after: readonly HTMLElement[]
}

/** The conversation's title, which can be changed, and the choice of models where there is one. */
export class ChatHeader {
  readonly #options: HeaderOptions
  readonly #title = el('h1', { class: 'title', dir: 'auto' })
  readonly #rename: HTMLButtonElement
  readonly #name: HTMLElement
  readonly #models = el('select', { class: 'models', 'aria-label': 'Model', hidden: true })
  readonly element: HTMLElement
  #offered = ''

  constructor(options: HeaderOptions) {
    this.#options = options
    this.#rename = iconButton('edit', 'Rename conversation', () => this.#startRename(), { hidden: true })
    this.#name = el('div', { class: 'title-box' }, this.#title, this.#rename)
    this.#models.addEventListener('change', () => options.setModel?.(this.#models.value))
    this.element = el('header', { class: 'chat-header' }, ...options.before, this.#name, this.#models, ...options.after)
  }

  /** @param refused the connection is gone for good: nothing can be changed */
  update({ title, model, models, messages }: Conversation, refused: boolean): void {
    setText(this.#title, title ?? this.#options.untitled)
    this.#rename.hidden = messages.length === 0 || refused
    this.#models.hidden = refused || models.length < 2 || this.#options.setModel === undefined
    const offered = JSON.stringify([models, model])
    if (offered === this.#offered) return
    this.#offered = offered
    this.#models.replaceChildren(
      ...models.map((each) => el('option', { value: each, selected: each === model }, modelName(each))),
    )
  }

  #startRename(): void {
    const input = el('input', { class: 'title-input', 'aria-label': 'Title', dir: 'auto', maxlength: MAX_TITLE_LENGTH })
    input.value = this.#title.textContent
    let done = false
    const finish = (): void => {
      // Before it leaves the page: that takes its focus away, which would save it.
      done = true
      this.#name.replaceChildren(this.#title, this.#rename)
    }
    const save = (): void => {
      if (done) return
      finish()
      const title = input.value.trim()
      if (title !== '' && title !== this.#title.textContent) this.#options.rename(title)
    }
    input.addEventListener('blur', save)
    input.addEventListener('keydown', (event) => {
      const isEscape = event.key === 'Escape' && !isComposing(event)
      if (!isEscape && !isPlainEnter(event)) return
      // The widget's panel would take Escape for itself.
      event.preventDefault()
      if (isEscape) finish()
      else save()
      this.#rename.focus()
    })
    this.#name.replaceChildren(input)
    input.focus()
    input.select()
  }
}

/** `provider/model` without the provider. */
function modelName(model: string): string {
  return model.slice(model.indexOf('/') + 1)
}
