import type { QueueItem } from '../../src/protocol/frames.ts'
import type { PendingSend } from '../core/conversation.ts'
import { iconButton } from './buttons.ts'
import { el, setChildren, setText } from './dom.ts'
import { icon } from './icons.ts'

/** Messages that wait for the answer that is being given. */
export class QueueList {
  readonly #remove: (runId: string) => void
  readonly #title = el('h2', { class: 'queue-title' })
  readonly #list = el('ul', {})
  readonly element = el(
    'section',
    { class: 'queue', 'aria-label': 'Waiting messages', hidden: true },
    this.#title,
    this.#list,
  )
  /** By run. They stay while their message waits: a press that a change of the queue falls into is not lost. */
  #rows: ReadonlyMap<string, HTMLElement> = new Map()
  #shown = ''

  constructor(remove: (runId: string) => void) {
    this.#remove = remove
  }

  /** `behind`: sends that the server has yet to take; they cannot be removed yet. */
  update(queue: readonly QueueItem[], behind: readonly PendingSend[]): void {
    const key = JSON.stringify([queue, behind])
    if (key === this.#shown) return
    this.#shown = key
    const count = queue.length + behind.length
    this.element.hidden = count === 0
    setText(this.#title, `Waiting for its turn${count > 1 ? ` (${count})` : ''}`)
    this.#rows = new Map(queue.map((item) => [item.runId, this.#rows.get(item.runId) ?? this.#row(item)]))
    setChildren(this.#list, [...this.#rows.values(), ...behind.map(({ text }) => row(text))])
  }

  #row({ runId, content }: QueueItem): HTMLElement {
    return row(
      content,
      iconButton('close', 'Remove from the queue', () => this.#remove(runId)),
    )
  }
}

function row(text: string, button?: HTMLButtonElement): HTMLElement {
  return el('li', {}, icon('clock'), el('span', { class: 'queue-text', dir: 'auto' }, text), button)
}
