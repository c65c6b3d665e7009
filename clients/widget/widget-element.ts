import { isRandomSessionId } from '../../src/protocol/ids.ts'
import { browserEnvironment } from '../core/browser-environment.ts'
import { createParleyClient, type ParleyClient } from '../core/client.ts'
import type { ConnectorOptions } from '../core/connector.ts'
import type { ClientTools } from '../core/tool-runner.ts'
import { iconButton } from '../ui/buttons.ts'
import { Chat } from '../ui/chat.ts'
import { el, setAttribute } from '../ui/dom.ts'
import { icon } from '../ui/icons.ts'
import { hasKeyboard, isComposing } from '../ui/keys.ts'
import { SessionNotes } from '../ui/session-notes.ts'
import { browserStorage, pageStorage, type TextStorage } from '../ui/storage.ts'
import { ticketsFrom } from './ticket-source.ts'

/** The widget's style sheet, bundled and put in by the build. */
declare const WIDGET_CSS: string

const DEFAULT_TITLE = 'Chat'
const DEFAULT_GREETING = 'How can we help?'

/**
 * What is typed and pasted here. Past the shadow root it would seem to come from an element that is no field, and the page's
 * shortcuts would take it.
 */
const KEPT_EVENTS = ['keydown', 'keypress', 'keyup', 'beforeinput', 'input', 'paste', 'copy', 'cut'] as const

type Session = { readonly client: ParleyClient; readonly chat: Chat }

/**
 * `<parley-chat>`: a button in the corner of a page that opens a conversation. Lives in a shadow root, so that neither the
 * page's styles nor the widget's reach the other. Connects when it is first opened.
 */
export class ParleyChatElement extends HTMLElement {
  static readonly observedAttributes = ['data-user']
  readonly #storage = browserStorage('local')
  readonly #pageStorage = pageStorage()
  /** What the page executes for the model, by the tool's name; set before the conversation is first opened. */
  tools: ClientTools = {}
  #panel: HTMLElement | undefined
  #launcher: HTMLButtonElement | undefined
  #session: Session | undefined

  connectedCallback(): void {
    if (this.#panel === undefined) this.#build()
    // Moved to another place of the page while it was open.
    else if (!this.#panel.hidden) this.#session ??= this.#resume()
    this.#rise()
  }

  /** Into the top layer, where no transform, filter or clip of the page reaches; older browsers have none for it. */
  #rise(): void {
    if (!('showPopover' in this)) return
    this.popover = 'manual'
    this.showPopover()
  }

  #build(): void {
    const root = this.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(WIDGET_CSS)
    root.adoptedStyleSheets = [sheet]
    const title = this.dataset['title'] ?? DEFAULT_TITLE
    this.#panel = el('section', {
      class: 'panel',
      role: 'dialog',
      'aria-label': title,
      id: 'panel',
      hidden: true,
      tabindex: -1,
    })
    this.#launcher = el(
      'button',
      {
        type: 'button',
        class: 'launcher',
        'aria-label': `Open ${title}`,
        'aria-expanded': 'false',
        'aria-controls': 'panel',
        onclick: () => this.#toggle(this.#panel?.hidden === true),
      },
      icon('chat'),
      icon('close'),
    )
    this.#panel.addEventListener('keydown', (event) => {
      if (isUntakenEscape(event)) this.#toggle(false)
    })
    const shell = el('div', { class: 'shell' }, this.#panel, this.#launcher)
    root.append(shell)
    // As large as the visitor's browser has its letters, whatever the page makes of its own.
    shell.style.setProperty('--rem', getComputedStyle(shell).fontSize)
    for (const type of KEPT_EVENTS) root.addEventListener(type, (event) => event.stopPropagation())
  }

  disconnectedCallback(): void {
    this.#leave()
  }

  /** Somebody else has signed in, and the page stayed. */
  attributeChangedCallback(_name: string, before: string | null, now: string | null): void {
    if (this.#session === undefined || before === now) return
    this.#leave()
    if (this.#panel?.hidden === false) this.#session = this.#resume()
  }

  #leave(): void {
    this.#session?.chat.dispose()
    this.#session?.client.close()
    this.#session = undefined
  }

  #toggle(open: boolean): void {
    if (this.#panel === undefined || this.#launcher === undefined) return
    this.#panel.hidden = !open
    this.#launcher.setAttribute('aria-expanded', String(open))
    this.#launcher.setAttribute('aria-label', `${open ? 'Close' : 'Open'} ${this.dataset['title'] ?? DEFAULT_TITLE}`)
    if (!open) {
      this.#launcher.focus()
      return
    }
    // Where it covers the page, the style sheet leaves no button to close it by.
    setAttribute(this.#panel, 'aria-modal', !this.#launcher.checkVisibility())
    this.#session ??= this.#resume()
    this.#focus(this.#session)
  }

  #focusFirst(): void {
    const buttons = [...(this.#panel?.querySelectorAll('button') ?? [])]
    buttons.find((button) => button.checkVisibility())?.focus()
  }

  /** Where there is a keyboard one can write at once; elsewhere it would jump up over the chat. */
  #focus({ chat }: Session): void {
    if (hasKeyboard()) chat.focus()
    else this.#panel?.focus()
  }

  /** Where this site's browser storage keeps the visitor's conversation. */
  get #idName(): string {
    const { app = 'default', user } = this.dataset
    return `parley.widget.${app}${user === undefined ? '' : `.${user}`}`
  }

  /** Where what is being written is kept. With tickets, and no word on whose they are, the next page may be somebody else's. */
  get #noteStorage(): TextStorage {
    const { tickets, user } = this.dataset
    return tickets !== undefined && user === undefined ? this.#pageStorage : browserStorage('session')
  }

  #resume(): Session {
    const kept = this.#storage.get(this.#idName)
    // Whatever else may stand there: the server would take nothing but these.
    return this.#start(kept !== undefined && isRandomSessionId(kept) ? kept : browserEnvironment.randomId())
  }

  #start(id: string): Session {
    this.#storage.set(this.#idName, id)
    const notes = new SessionNotes(this.#noteStorage, id)
    const { app = 'default', server = location.origin, title, greeting } = this.dataset
    const client = createParleyClient({
      url: `${server.replace(/^http/, 'ws')}/ws`,
      app,
      sessionId: id,
      ...this.#credential(id),
      environment: browserEnvironment,
      tools: this.tools,
      kept: notes,
    })
    const startOver = (): void => this.#startOver()
    const chat = new Chat({
      client,
      untitled: title ?? DEFAULT_TITLE,
      greeting: greeting ?? DEFAULT_GREETING,
      choosesModel: false,
      headerBefore: [],
      headerAfter: [
        iconButton('plus', 'New conversation', startOver),
        iconButton('close', 'Close', () => this.#toggle(false), { class: 'icon-button panel-close' }),
      ],
      remedies: { 'new-chat': startOver },
      notes,
    })
    this.#panel?.replaceChildren(
      edge(() => chat.focus()),
      chat.element,
      edge(() => this.#focusFirst()),
    )
    client.connect()
    return { client, chat }
  }

  /** What lets this visitor in: the site's own word on who they are, the site's key, or nothing. */
  #credential(session: string): Pick<ConnectorOptions, 'credential'> {
    const { key, tickets } = this.dataset
    if (tickets !== undefined) return { credential: ticketsFrom(tickets, session) }
    return key === undefined ? {} : { credential: { kind: 'key', key } }
  }

  #startOver(): void {
    this.#leave()
    this.#session = this.#start(browserEnvironment.randomId())
    this.#focus(this.#session)
  }
}

/** An end of the panel, only there while it covers the page: who goes on with Tab stays in what can be seen. */
function edge(turn: () => void): HTMLElement {
  return el('span', { class: 'edge', tabindex: 0, 'aria-hidden': true, onfocus: turn })
}

/** An Escape that nothing in the panel, nor an input method, had a use for; what took one may have gone away with it. */
function isUntakenEscape(event: KeyboardEvent): boolean {
  if (event.key !== 'Escape' || event.defaultPrevented || isComposing(event)) return false
  return event.target instanceof Node && event.target.isConnected
}
