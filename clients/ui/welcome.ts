import { el } from './dom.ts'

/** What the scripted demo model can do; shown only where it answers. */
const DEMO_REQUESTS = ['Help', 'What time is it?', 'Calculate 12 * (3 + 4)', 'Think about rain', 'Count from 1 to 100']
const DEMO_PROVIDER = 'scripted/'

/** What an empty conversation shows. */
export class Welcome {
  readonly #demo: HTMLElement
  readonly element: HTMLElement

  constructor(greeting: string, send: (text: string) => void) {
    const chips = DEMO_REQUESTS.map((text) =>
      el('button', { type: 'button', class: 'chip', onclick: () => send(text) }, text),
    )
    this.#demo = el(
      'div',
      { class: 'welcome-demo', hidden: true },
      el('p', {}, 'No AI is connected to this server: a scripted demo answers. It can show how things work:'),
      el('div', { class: 'chips' }, ...chips),
    )
    this.element = el('div', { class: 'welcome' }, el('p', { class: 'greeting' }, greeting), this.#demo)
  }

  update(empty: boolean, model: string | undefined): void {
    this.element.hidden = !empty
    this.#demo.hidden = model?.startsWith(DEMO_PROVIDER) !== true
  }
}
