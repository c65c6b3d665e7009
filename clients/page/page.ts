import { createParleyClient, type ParleyClient } from '../core/client.ts'
import type { Environment } from '../core/environment.ts'
import { iconButton } from '../ui/buttons.ts'
import { Chat } from '../ui/chat.ts'
import { askForSettings, askForText, askToConfirm } from '../ui/dialogs.ts'
import { el } from '../ui/dom.ts'
import { hasKeyboard } from '../ui/keys.ts'
import { SessionList } from '../ui/session-list.ts'
import { SessionNotes } from '../ui/session-notes.ts'
import { SessionShelf, type ShelvedSession } from '../ui/session-shelf.ts'
import { SessionsApi } from '../ui/sessions-api.ts'
import { loadSettings, type Settings, saveSettings } from '../ui/settings.ts'
import { browserStorage } from '../ui/storage.ts'
import { appInAddress, sessionInAddress, showInAddress } from './address.ts'

const UNTITLED = 'New conversation'
const GREETING = 'What would you like to talk about?'

type Open = { readonly id: string; readonly client: ParleyClient; readonly chat: Chat; readonly leave: () => void }

/** As other chats have it: Ctrl or Command, Shift and O. */
function isNewChatKey(event: KeyboardEvent): boolean {
  return (event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === 'o'
}

/** The chat page: a list of conversations beside the one that is open. */
export class Page {
  readonly #environment: Environment
  readonly #stores = { lasting: browserStorage('local'), passing: browserStorage('session') }
  readonly #list: SessionList
  readonly #main = el('main', { class: 'main' })
  readonly #shade = el('div', { class: 'shade', onclick: () => this.#showList(false) })
  readonly #menu: HTMLButtonElement
  readonly #skip: HTMLButtonElement
  readonly element: HTMLElement
  #settings: Settings
  #shelf: SessionShelf
  #api: SessionsApi
  #open: Open

  constructor(environment: Environment) {
    this.#environment = environment
    this.#settings = loadSettings(this.#stores)
    const app = appInAddress()
    if (app !== undefined && app !== this.#settings.app) this.#settings = { app, remember: false }
    this.#shelf = this.#openShelf()
    this.#api = this.#openApi()
    this.#skip = el(
      'button',
      { type: 'button', class: 'skip', onclick: () => this.#open.chat.focus() },
      'Skip to the message',
    )
    this.#menu = iconButton('menu', 'Conversations', () => this.#showList(true), {
      class: 'icon-button menu-button',
      'aria-expanded': 'false',
      'aria-controls': 'sessions',
    })
    this.#list = new SessionList({
      create: () => this.#go(this.#environment.randomId(), 'step'),
      open: (id) => this.#go(id, 'step'),
      rename: (session) => void this.#rename(session),
      remove: (session) => void this.#remove(session),
      settings: () => void this.#changeSettings(),
      close: () => this.#showList(false),
    })
    this.element = el('div', { class: 'page' }, this.#skip, this.#list.element, this.#shade, this.#main)
    const id = sessionInAddress() ?? this.#environment.randomId()
    showInAddress(id, 'replace')
    this.#open = this.#start(id)
    this.#listen()
  }

  /** Puts the page on the screen. */
  show(parent: HTMLElement): void {
    parent.append(this.element)
    if (hasKeyboard()) this.#open.chat.focus()
  }

  #listen(): void {
    const follow = (): void => {
      const id = sessionInAddress()
      if (id !== undefined && id !== this.#open.id) this.#go(id, 'replace')
    }
    addEventListener('popstate', follow)
    addEventListener('hashchange', follow)
    // Another tab's list is this one's, too.
    addEventListener('storage', (event) => {
      if (event.key === this.#shelf.name) this.#showSessions()
    })
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.element.classList.contains('list-open')) this.#showList(false)
      if (!isNewChatKey(event) || document.querySelector('dialog[open]') !== null) return
      event.preventDefault()
      this.#go(this.#environment.randomId(), 'step')
    })
  }

  /** Leaves the open conversation for another. */
  #go(id: string, how: 'step' | 'replace'): void {
    this.#showList(false)
    if (id !== this.#open.id) {
      showInAddress(id, how)
      this.#open.leave()
      this.#open = this.#start(id)
    }
    this.#open.chat.goOn()
  }

  #start(id: string): Open {
    const { app, key } = this.#settings
    const notes = this.#notesOf(id)
    const client = createParleyClient({
      url: `${location.origin.replace(/^http/, 'ws')}/ws`,
      app,
      sessionId: id,
      ...(key === undefined ? {} : { credential: { kind: 'key', key } }),
      environment: this.#environment,
      kept: notes,
    })
    const chat = new Chat({
      client,
      untitled: UNTITLED,
      greeting: GREETING,
      choosesModel: true,
      headerBefore: [this.#menu],
      headerAfter: [],
      remedies: {
        settings: () => void this.#changeSettings(),
        'new-chat': () => this.#go(this.#environment.randomId(), 'step'),
      },
      notes,
    })
    const unsubscribe = client.subscribe(this.#shelver(id, client))
    this.#main.replaceChildren(chat.element)
    client.connect()
    void this.#fetchSessions()
    const leave = (): void => {
      unsubscribe()
      chat.dispose()
      client.close()
    }
    document.title = 'Parley'
    queueMicrotask(() => this.#showSessions())
    return { id, client, chat, leave }
  }

  /** A conversation is worth a place in the list once something was said in it. */
  #shelver(id: string, client: ParleyClient): () => void {
    let shelved = ''
    return () => {
      const { title, messages } = client.state.conversation
      const saidAt = messages.findLast((message) => message.role === 'user')?.metadata.createdAt
      const state = `${saidAt} ${title}`
      // Called for every token; what it writes changes once a message.
      if (saidAt === undefined || state === shelved) return
      shelved = state
      document.title = title === undefined ? 'Parley' : `${title} · Parley`
      this.#shelf.put({ id, title, updatedAt: Date.parse(saidAt) })
      this.#showSessions()
    }
  }

  async #fetchSessions(): Promise<void> {
    const [api, shelf] = [this.#api, this.#shelf]
    shelf.merge(await api.list())
    this.#showSessions()
  }

  #showSessions(): void {
    this.#list.update(this.#shelf.list(), this.#open.id)
  }

  #showList(open: boolean): void {
    const wasOpen = this.element.classList.contains('list-open')
    if (wasOpen === open) return
    this.element.classList.toggle('list-open', open)
    this.#menu.setAttribute('aria-expanded', String(open))
    // The drawer covers the conversation: nobody should tab into what cannot be seen.
    this.#main.inert = open
    if (open) this.#list.element.querySelector('button')?.focus()
    else this.#menu.focus()
  }

  async #rename(session: ShelvedSession): Promise<void> {
    const words = { title: 'Rename conversation', label: 'Title', value: session.title ?? '' }
    const title = await askForText(this.element, words)
    this.#list.focus(session.id, 'rename')
    if (title === undefined) return
    const outcome = await this.#api.rename(session.id, title)
    if (!outcome.ok) return this.#open.chat.showFault(`Not renamed: ${outcome.message}.`)
    this.#shelf.put({ id: session.id, title })
    this.#showSessions()
  }

  async #remove(session: ShelvedSession): Promise<void> {
    const sure = await askToConfirm(this.element, {
      title: 'Delete this conversation?',
      text: `“${session.title ?? 'Untitled conversation'}” will be gone for everyone who has it open, and cannot be brought back.`,
      act: 'Delete',
    })
    this.#list.focus(session.id, 'remove')
    if (!sure) return
    const outcome = await this.#api.delete(session.id)
    // What the server does not have is as good as deleted.
    if (!outcome.ok && outcome.code !== 'session_not_found')
      return this.#open.chat.showFault(`Not deleted: ${outcome.message}.`)
    if (session.id === this.#open.id) this.#go(this.#environment.randomId(), 'replace')
    this.#notesOf(session.id).forget()
    this.#shelf.remove(session.id)
    this.#showSessions()
  }

  async #changeSettings(): Promise<void> {
    const settings = await askForSettings(this.element, this.#settings)
    if (settings === undefined) return
    saveSettings(this.#stores, settings)
    const isOtherApp = settings.app !== this.#settings.app
    this.#settings = settings
    this.#shelf = this.#openShelf()
    this.#api = this.#openApi()
    this.#open.leave()
    const id = isOtherApp ? this.#environment.randomId() : this.#open.id
    showInAddress(id, 'replace')
    this.#open = this.#start(id)
    this.#showList(false)
  }

  /** With the tab: a draft is not for others who use this device. */
  #notesOf(id: string): SessionNotes {
    return new SessionNotes(this.#stores.passing, id)
  }

  #openShelf(): SessionShelf {
    return new SessionShelf(this.#stores.lasting, this.#settings.app)
  }

  #openApi(): SessionsApi {
    const { app, key } = this.#settings
    return new SessionsApi({ baseUrl: location.origin, app, ...(key === undefined ? {} : { key }) })
  }
}
