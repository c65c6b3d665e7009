import { iconButton } from './buttons.ts'
import { el, holdsFocus } from './dom.ts'
import { icon } from './icons.ts'
import type { ShelvedSession } from './session-shelf.ts'

export type SessionListActions = {
  readonly create: () => void
  readonly open: (id: string) => void
  readonly rename: (session: ShelvedSession) => void
  readonly remove: (session: ShelvedSession) => void
  readonly settings: () => void
  readonly close: () => void
}

/** What can be pressed in a row of the list. */
const CONTROLS = 'a, button'

/** The conversations of this browser, newest first, and the way to a new one. */
export class SessionList {
  readonly #actions: SessionListActions
  readonly #list = el('ul', { class: 'session-list' })
  readonly #create: HTMLButtonElement
  readonly #none = el('p', { class: 'hint' }, 'Conversations appear here once you have written something.')
  readonly element: HTMLElement
  #shown = ''

  constructor(actions: SessionListActions) {
    this.#actions = actions
    this.#create = el(
      'button',
      { type: 'button', class: 'new-chat', title: 'Ctrl or ⌘ + Shift + O', onclick: actions.create },
      icon('plus'),
      'New conversation',
    )
    this.element = el(
      'nav',
      { class: 'sidebar', id: 'sessions', 'aria-label': 'Conversations' },
      el(
        'div',
        { class: 'sidebar-head' },
        el('span', { class: 'brand' }, 'Parley'),
        iconButton('close', 'Close the list', actions.close, { class: 'icon-button sidebar-close' }),
      ),
      this.#create,
      this.#none,
      this.#list,
      el(
        'button',
        { type: 'button', class: 'sidebar-foot', onclick: actions.settings },
        icon('settings'),
        'App and key',
      ),
    )
  }

  update(sessions: readonly ShelvedSession[], current: string): void {
    const key = JSON.stringify([sessions.map(({ id, title }) => [id, title]), current])
    if (key === this.#shown) return
    this.#shown = key
    this.#none.hidden = sessions.length > 0
    const focused = this.#focused()
    this.#list.replaceChildren(...sessions.map((session) => this.#row(session, session.id === current)))
    if (focused === undefined) return
    // The same control of the same conversation; where that is gone, what begins a new one.
    const row = [...this.#list.children].find((each) => each.getAttribute('data-id') === focused.id)
    const [link, ...buttons] = row?.querySelectorAll<HTMLElement>(CONTROLS) ?? [this.#create]
    // The buttons of a row are there once the focus is in it.
    link?.focus()
    buttons[focused.control - 1]?.focus()
  }

  /** Where the focus stands in the list, which is about to be made anew. */
  #focused(): { readonly id: string | null; readonly control: number } | undefined {
    const row = [...this.#list.children].find(holdsFocus)
    if (row === undefined) return undefined
    const control = [...row.querySelectorAll(CONTROLS)].findIndex(holdsFocus)
    return { id: row.getAttribute('data-id'), control }
  }

  #row(session: ShelvedSession, isCurrent: boolean): HTMLElement {
    const title = session.title ?? 'Untitled conversation'
    const link = el('a', { href: `#${session.id}`, title, ...(isCurrent ? { 'aria-current': 'page' } : {}) }, title)
    link.addEventListener('click', (event) => {
      // With a modifier it is a link like any other, into a new tab.
      if (event.metaKey || event.ctrlKey || event.shiftKey) return
      event.preventDefault()
      this.#actions.open(session.id)
    })
    return el(
      'li',
      { 'data-id': session.id },
      link,
      el(
        'span',
        { class: 'session-actions' },
        iconButton('edit', `Rename ${title}`, () => this.#actions.rename(session)),
        iconButton('trash', `Delete ${title}`, () => this.#actions.remove(session)),
      ),
    )
  }
}
