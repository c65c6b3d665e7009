import type { Outcome } from '../core/outcome.ts'
import { el, holdsFocus, setAttribute, setText } from './dom.ts'
import { icon } from './icons.ts'
import { hasKeyboard, isComposing, isPlainEnter } from './keys.ts'

export type ComposerState = {
  readonly busy: boolean
  readonly stopping: boolean
  /** There is something that can be stopped. */
  readonly canStop: boolean
  readonly status: string
}

export type ComposerOptions = {
  readonly send: (text: string) => Outcome
  readonly stop: () => void
  /** Changes the last message. */
  readonly editLast: () => void
  /** Told at every change of the text that is being written. */
  readonly onDraft: (text: string) => void
}

const PLACEHOLDER = 'Write a message'
const PLACEHOLDER_BUSY = 'Write the next message'

/** Milliseconds within which a second click belongs to the first, as most systems have it. */
const DOUBLE_CLICK_MS = 500

/**
 * Where messages are written: Enter sends, Shift and Enter begins a line, Escape stops the answer, the arrow upwards in the
 * empty field changes the last message.
 */
export class Composer {
  readonly #options: ComposerOptions
  readonly #input = el('textarea', {
    class: 'composer-input',
    rows: 1,
    dir: 'auto',
    'aria-label': 'Message',
    placeholder: PLACEHOLDER,
    enterkeyhint: 'send',
    autocomplete: 'off',
  })
  readonly #send = el(
    'button',
    {
      type: 'submit',
      class: 'round primary',
      'aria-label': 'Send',
      title: 'Send (Enter)',
      onclick: ({ timeStamp }) => {
        this.#clickedAt = timeStamp
      },
    },
    icon('send'),
  )
  readonly #stop: HTMLButtonElement
  readonly #fault = el('p', { class: 'fault', role: 'alert', hidden: true })
  readonly #status = el('p', { class: 'status', role: 'status', 'aria-live': 'polite' })
  readonly element: HTMLElement
  /** Milliseconds, as events have them: when Send was clicked. */
  #clickedAt = Number.NEGATIVE_INFINITY

  constructor(options: ComposerOptions) {
    this.#options = options
    this.#stop = el(
      'button',
      {
        type: 'button',
        class: 'round stop',
        'aria-label': 'Stop',
        title: 'Stop (Esc)',
        hidden: true,
        onclick: (event) => this.#onStop(event),
      },
      icon('stop'),
    )
    const field = el(
      'form',
      { class: 'composer-field' },
      this.#input,
      // The second press of a double click finds Send at rest: it must not take the focus, and what is typed next, from the field.
      el('div', { class: 'composer-buttons', onmousedown: (event) => event.preventDefault() }, this.#stop, this.#send),
    )
    const hint = el('p', { class: 'hint' }, 'Enter sends, Shift + Enter begins a new line')
    this.element = el(
      'div',
      { class: 'composer' },
      this.#fault,
      field,
      el('div', { class: 'composer-foot' }, this.#status, hint),
    )
    field.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#submit()
    })
    // Its height follows its width: when it comes to the page, when a phone is turned.
    new ResizeObserver(() => this.#fit()).observe(field)
    this.#input.addEventListener('keydown', (event) => this.#onKey(event))
    this.#input.addEventListener('input', () => this.#onInput())
  }

  update({ busy, stopping, canStop, status }: ComposerState): void {
    // A button that has done its work must not take the focus with it.
    const leaves = holdsFocus(this.#stop) && (stopping || !canStop)
    this.#stop.hidden = !canStop
    this.#stop.disabled = stopping
    if (leaves && hasKeyboard()) this.focus()
    setAttribute(this.#stop, 'aria-label', stopping ? 'Stopping' : 'Stop')
    const placeholder = busy ? PLACEHOLDER_BUSY : PLACEHOLDER
    if (this.#input.placeholder !== placeholder) this.#input.placeholder = placeholder
    setText(this.#status, status)
    this.#status.classList.toggle('busy', busy)
    this.#showSend()
  }

  focus(): void {
    this.#input.focus()
  }

  get text(): string {
    return this.#input.value
  }

  set text(text: string) {
    this.#input.value = text
    this.#fit()
    this.#showSend()
  }

  /** Puts a text above what is written already. */
  add(text: string): void {
    this.text = this.text === '' ? text : `${text}\n\n${this.text}`
    this.#options.onDraft(this.text)
  }

  /** Says what went wrong with what was just asked for; gone with the next key. */
  showFault(message: string): void {
    this.#fault.hidden = message === ''
    setText(this.#fault, message)
  }

  #submit(): void {
    if (this.text.trim() === '') return
    const outcome = this.#options.send(this.text)
    if (!outcome.ok) {
      this.showFault(outcome.message)
      return
    }
    this.showFault('')
    this.text = ''
    this.#options.onDraft('')
    this.focus()
  }

  /** Stop takes the place of Send: the second click of a double click there is not meant for it. */
  #onStop({ timeStamp }: Event): void {
    if (timeStamp - this.#clickedAt > DOUBLE_CLICK_MS) this.#options.stop()
    else this.focus()
  }

  #onKey(event: KeyboardEvent): void {
    // In an input method Escape gives up a word, not the answer.
    if (event.key === 'Escape' && isComposing(event)) event.preventDefault()
    else if (event.key === 'Escape' && !this.#stop.hidden) {
      event.preventDefault()
      this.#options.stop()
    }
    if (event.key === 'ArrowUp' && this.text === '' && !isComposing(event)) {
      event.preventDefault()
      this.#options.editLast()
    }
    if (!isPlainEnter(event)) return
    event.preventDefault()
    this.#submit()
  }

  #onInput(): void {
    this.showFault('')
    this.#fit()
    this.#showSend()
    this.#options.onDraft(this.text)
  }

  /** While an answer comes and nothing is written, Stop stands alone. */
  #showSend(): void {
    const empty = this.text.trim() === ''
    this.#send.disabled = empty
    this.#send.hidden = empty && !this.#stop.hidden
  }

  /** As high as its text; the style sheet says where it ends. */
  #fit(): void {
    // While it is measured nothing beside it may grow: the transcript would scroll.
    this.element.style.minHeight = `${this.element.offsetHeight}px`
    this.#input.style.height = 'auto'
    const { scrollHeight } = this.#input
    // Not on the page yet: it has no height to go by.
    if (scrollHeight > 0) this.#input.style.height = `${scrollHeight}px`
    this.element.style.minHeight = ''
  }
}
