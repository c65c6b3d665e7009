import { ParleyChatElement } from './widget-element.ts'

const ELEMENT = 'parley-chat'

/**
 * The entry of `widget.js`: `<script src="https://host/widget.js" data-app="…" data-key="pk_live_…" data-title="…" async>`
 * puts a chat into the corner of any page. It talks to the server that the script came from.
 */
function embed(script: HTMLScriptElement): void {
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

const script = document.currentScript
if (script instanceof HTMLScriptElement) {
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => embed(script))
  else embed(script)
}
