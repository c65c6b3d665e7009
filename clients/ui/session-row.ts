import { iconButton, setLabel } from './buttons.ts'
import { el, setAttribute, setText } from './dom.ts'
import type { ShelvedSession } from './session-shelf.ts'

export type SessionRowActions = {
  readonly open: (id: string) => void
  readonly rename: (session: ShelvedSession) => void
  readonly remove: (session: ShelvedSession) => void
}

export type SessionRowButton = 'rename' | 'remove'

/** One conversation in the list. Its elements stay while it does: a press is lost when what was pressed is replaced before it ends. */
export class SessionRow {
  readonly #link: HTMLAnchorElement
  readonly #rename: HTMLButtonElement
  readonly #remove: HTMLButtonElement
  readonly element: HTMLElement
  #session: ShelvedSession

  constructor(session: ShelvedSession, actions: SessionRowActions) {
    this.#session = session
    this.#link = el('a', { href: `#${session.id}`, dir: 'auto' })
    this.#link.addEventListener('click', (event) => {
      // With a modifier it is a link like any other, into a new tab.
      if (event.metaKey || event.ctrlKey || event.shiftKey) return
      event.preventDefault()
      actions.open(session.id)
    })
    this.#rename = iconButton('edit', 'Rename', () => actions.rename(this.#session))
    this.#remove = iconButton('trash', 'Delete', () => actions.remove(this.#session))
    this.element = el('li', {}, this.#link, el('span', { class: 'session-actions' }, this.#rename, this.#remove))
  }

  button(name: SessionRowButton): HTMLElement {
    return name === 'rename' ? this.#rename : this.#remove
  }

  /** In the order in which Tab reaches them. */
  get controls(): readonly [HTMLElement, ...HTMLElement[]] {
    return [this.#link, this.#rename, this.#remove]
  }

  /** The link first: the buttons can be focused only while the focus is in the row. */
  focus(control: HTMLElement): void {
    this.#link.focus()
    control.focus()
  }

  update(session: ShelvedSession, isCurrent: boolean): void {
    this.#session = session
    const title = session.title ?? 'Untitled conversation'
    setText(this.#link, title)
    setAttribute(this.#link, 'title', title)
    setAttribute(this.#link, 'aria-current', isCurrent ? 'page' : undefined)
    setLabel(this.#rename, `Rename ${title}`)
    setLabel(this.#remove, `Delete ${title}`)
  }
}
