import { ParleyChatElement } from './widget-element.ts'

const ELEMENT = 'parley-chat'

/**
 * The entry of `widget.js`: `<script src="https://host/widget.js" data-app="…" data-key="pk_live_…" data-title="…" async>`
 * puts a chat into the corner of any page. It talks to the server that the script came from.
 */
function embed(script: HTMLScriptElement): void {
  // It would lie on the first, to the pixel.
  if (document.querySelector(ELEMENT) !== null)
    return warn('this page has the widget already; a second one is left out')
  // They seem to be part of every frame of the server, which then says nothing that can be read.
  for (const name in {})
    warn(`this page adds "${name}" to Object.prototype, enumerably; the chat cannot connect with that`)
  if (customElements.get(ELEMENT) === undefined) customElements.define(ELEMENT, ParleyChatElement)
  const element = document.createElement(ELEMENT)
  const { app, key, tickets, user, title, greeting } = script.dataset
  const attributes = { server: new URL(script.src).origin, app, key, tickets, user, title, greeting }
  for (const [name, value] of Object.entries(attributes)) {
    // `title` on the element would be a tooltip over the whole widget.
    if (value !== undefined) element.setAttribute(`data-${name}`, value)
  }
  document.body.append(element)
}

/** To the author of the page. */
function warn(fault: string): void {
  // oxlint-disable-next-line no-console -- visitors have no use for it, and there is nowhere else to say it
  console.warn(`Parley: ${fault}`)
}

const script = document.currentScript
if (!(script instanceof HTMLScriptElement)) {
  warn('widget.js is not a module and is not to be imported: it needs a <script src> of its own without type="module"')
} else if (document.readyState === 'loading') {
  document.addEventListener('DOMContentLoaded', () => embed(script))
} else {
  embed(script)
}
