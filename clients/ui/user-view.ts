import type { Delivery } from '../core/conversation.ts'
import type { UserEntry } from '../core/entries.ts'
import { copyButton, iconButton, textButton } from './buttons.ts'
import { el, rootOf, setChildren, setText } from './dom.ts'
import type { EntryActions, EntryContext, EntryView } from './entry-view.ts'
import { isComposing, isPlainEnter } from './keys.ts'
import { TimeLabel } from './time-label.ts'

/** A message of the person: its text, where it stands while it is on its way, and how to change it later. */
export class UserView implements EntryView<UserEntry> {
  readonly element = el('article', { class: 'entry user', 'aria-label': 'You' })
  readonly #actions: EntryActions
  readonly #bubble = el('div', { class: 'bubble', dir: 'auto' })
  readonly #note = el('div', { class: 'delivery' })
  readonly #tools = el('div', { class: 'entry-actions' })
  readonly #when = new TimeLabel()
  readonly #edit: HTMLButtonElement
  #entry: UserEntry
  #editor: HTMLElement | undefined

  constructor(entry: UserEntry, actions: EntryActions) {
    this.#entry = entry
    this.#actions = actions
    this.#edit = iconButton('edit', 'Edit message', () => this.startEdit())
    this.#tools.append(
      this.#when.element,
      this.#edit,
      copyButton('Copy message', () => this.#entry.text),
    )
  }

  update(entry: UserEntry, { refused }: EntryContext): void {
    this.#entry = entry
    setText(this.#bubble, entry.text)
    this.#when.set(entry.createdAt)
    this.#edit.hidden = refused
    this.element.classList.toggle('on-its-way', entry.delivery !== undefined)
    this.#showDelivery(entry.delivery, refused)
    this.#arrange()
  }

  #arrange(): void {
    const { delivery } = this.#entry
    if (this.#editor !== undefined) setChildren(this.element, [this.#editor])
    else setChildren(this.element, [this.#bubble, delivery === undefined ? this.#tools : this.#note])
  }

  #showDelivery(delivery: Delivery | undefined, refused: boolean): void {
    const key =
      delivery === undefined ? '' : `${delivery.state}${refused}${delivery.state === 'failed' ? delivery.message : ''}`
    if (this.#note.dataset['key'] === key) return
    this.#note.dataset['key'] = key
    this.#note.classList.toggle('failed', delivery?.state === 'failed')
    if (delivery === undefined) return
    if (delivery.state !== 'failed') {
      // What stands above the conversation says why, and what can be done.
      setText(this.#note, refused && delivery.state === 'waiting' ? NOT_SENT : DELIVERY_TEXTS[delivery.state])
      return
    }
    const { id } = this.#entry
    const actions = [
      delivery.retryable ? textButton('Send again', () => this.#actions.resend(id)) : undefined,
      textButton('Discard', () => this.#actions.discard(id)),
    ]
    const row = el('span', { class: 'button-row' }, ...actions)
    this.#note.replaceChildren(el('span', { role: 'alert' }, `Not sent: ${delivery.message}.`), row)
  }

  leave(): void {
    const written = this.#editor?.querySelector('textarea')?.value ?? ''
    if (written.trim() !== '' && written !== this.#entry.text) this.#actions.keep(written)
  }

  startEdit(): void {
    if (this.#editor !== undefined || this.#edit.hidden) return
    const { id, text } = this.#entry
    const input = el('textarea', { 'aria-label': 'Edit message', rows: 3, dir: 'auto' })
    input.value = text
    const before = rootOf(this.element).activeElement
    const close = (): void => {
      this.#editor = undefined
      this.#arrange()
    }
    const cancel = (): void => {
      close()
      // Back to where it was opened from.
      if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus()
      else this.#edit.focus()
    }
    const save = (): void => {
      if (input.value.trim() === '' || input.value === text) cancel()
      else if (this.#actions.edit(id, input.value).ok) close()
    }
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !isComposing(event)) {
        // The widget's panel would take it for itself.
        event.preventDefault()
        cancel()
      }
      if (!isPlainEnter(event)) return
      event.preventDefault()
      save()
    })
    this.#editor = el(
      'div',
      { class: 'editor' },
      input,
      el('p', { class: 'hint' }, 'Sending it again replaces this message and all that follows.'),
      el(
        'div',
        { class: 'button-row' },
        textButton('Cancel', cancel),
        textButton('Send', save, { class: 'button primary' }),
      ),
    )
    this.#arrange()
    input.focus()
    input.setSelectionRange(text.length, text.length)
  }
}

const NOT_SENT = 'Not sent: there is no connection'
const DELIVERY_TEXTS = {
  waiting: 'Waiting for the connection; it will be sent',
  sending: 'Sending…',
  sent: 'Sent',
} as const satisfies Record<Exclude<Delivery['state'], 'failed'>, string>
