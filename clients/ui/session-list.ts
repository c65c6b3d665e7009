import { iconButton } from './buttons.ts'
import { el, holdsFocus, setChildren } from './dom.ts'
import { icon } from './icons.ts'
import { SessionRow, type SessionRowActions, type SessionRowButton } from './session-row.ts'
import type { ShelvedSession } from './session-shelf.ts'

export type SessionListActions = SessionRowActions & {
  readonly create: () => void
  readonly settings: () => void
  readonly close: () => void
}

/** The conversations of this browser, newest first, and the way to a new one. */
export class SessionList {
  readonly #actions: SessionListActions
  readonly #list = el('ul', { class: 'session-list' })
  readonly #create: HTMLButtonElement
  readonly #none = el('p', { class: 'hint' }, 'Conversations appear here once you have written something.')
  readonly element: HTMLElement
  #rows: ReadonlyMap<string, SessionRow> = new Map()
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
    const rows = new Map(
      sessions.map((session) => [session.id, this.#rows.get(session.id) ?? new SessionRow(session, this.#actions)]),
    )
    this.#rows = rows
    for (const session of sessions) rows.get(session.id)?.update(session, session.id === current)
    setChildren(
      this.#list,
      [...rows.values()].map(({ element }) => element),
    )
    if (focused === undefined || holdsFocus(focused.control)) return
    // Its row has moved, which takes the focus away; where it is gone, what begins a new one has it.
    if (!this.#list.contains(focused.control)) return this.#create.focus()
    focused.row.focus(focused.control)
  }

  /** Gives the focus back to a button that a dialog took it from: hidden meanwhile, it could not have it at once. */
  focus(id: string, button: SessionRowButton): void {
    const row = this.#rows.get(id)
    row?.focus(row.button(button))
  }

  #focused(): { readonly row: SessionRow; readonly control: HTMLElement } | undefined {
    for (const row of this.#rows.values()) {
      const control = row.controls.find(holdsFocus)
      if (control !== undefined) return { row, control }
    }
    return undefined
  }
}
