import { iconButton } from './buttons.ts'
import { el } from './dom.ts'
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

/** The conversations of this browser, newest first, and the way to a new one. */
export class SessionList {
  readonly #actions: SessionListActions
  readonly #list = el('ul', { class: 'session-list' })
  readonly #none = el('p', { class: 'hint' }, 'Conversations appear here once you have written something.')
  readonly element: HTMLElement
  #shown = ''

  constructor(actions: SessionListActions) {
    this.#actions = actions
    this.element = el(
      'nav',
      { class: 'sidebar', id: 'sessions', 'aria-label': 'Conversations' },
      el(
        'div',
        { class: 'sidebar-head' },
        el('span', { class: 'brand' }, 'Parley'),
        iconButton('close', 'Close the list', actions.close, { class: 'icon-button sidebar-close' }),
      ),
      el('button', { type: 'button', class: 'new-chat', onclick: actions.create }, icon('plus'), 'New conversation'),
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
    this.#list.replaceChildren(...sessions.map((session) => this.#row(session, session.id === current)))
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
      {},
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
