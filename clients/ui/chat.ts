import type { ClientState, ParleyClient } from '../core/client.ts'
import { type Entry, sendsBehind, toEntries } from '../core/entries.ts'
import type { Outcome } from '../core/outcome.ts'
import { Announcer } from './announcer.ts'
import { Banner, type Remedies } from './banner.ts'
import { textButton } from './buttons.ts'
import { ChatHeader } from './chat-header.ts'
import { Composer } from './composer.ts'
import { el, frameScheduler, holdsFocus, rootOf, setText } from './dom.ts'
import type { EntryActions } from './entry-view.ts'
import { hasKeyboard } from './keys.ts'
import { QueueList } from './queue-list.ts'
import type { SessionNotes } from './session-notes.ts'
import { Transcript } from './transcript.ts'
import { Welcome } from './welcome.ts'
import { noticeOf } from './wording.ts'

export type ChatOptions = {
  readonly client: ParleyClient
  /** Shown until the conversation has a title. */
  readonly untitled: string
  readonly greeting: string
  /** Whether the person chooses among the App's models. */
  readonly choosesModel: boolean
  readonly headerBefore: readonly HTMLElement[]
  readonly headerAfter: readonly HTMLElement[]
  readonly remedies: Remedies
  /** Where what is being written is kept. */
  readonly notes: SessionNotes
}

/** One conversation on the screen: title, transcript, queue, composer and what there is to say about the connection. */
export class Chat {
  readonly #client: ParleyClient
  readonly #header: ChatHeader
  readonly #banner: Banner
  readonly #transcript: Transcript
  readonly #welcome: Welcome
  readonly #queue: QueueList
  readonly #composer: Composer
  readonly #announcer = new Announcer()
  readonly #older: HTMLButtonElement
  readonly #frames = frameScheduler(() => this.#render(this.#client.state))
  readonly #unsubscribe: () => void
  /** An answer was asked for again, and the server has not said yes or no. */
  #retries = false
  readonly element: HTMLElement

  constructor(options: ChatOptions) {
    const { client } = options
    this.#client = client
    this.#header = new ChatHeader({
      untitled: options.untitled,
      rename: (title) => void this.#report(client.rename(title)),
      ...(options.choosesModel ? { setModel: (model) => void this.#report(client.setModel(model)) } : {}),
      before: options.headerBefore,
      after: options.headerAfter,
    })
    this.#banner = new Banner({ retry: () => client.connect(), ...options.remedies })
    this.#older = textButton('Show earlier messages', () => void this.#report(client.loadOlder()), { hidden: true })
    this.#welcome = new Welcome(options.greeting, (text) => this.#send(text))
    this.#transcript = new Transcript(this.#actions(), [this.#older, this.#welcome.element], () => this.goOn())
    this.#queue = new QueueList((runId) => void this.#report(client.removeQueued(runId)))
    this.#composer = new Composer({
      send: (text) => this.#send(text),
      stop: () => void this.#report(client.cancel()),
      editLast: () => this.#editLast(),
      onDraft: (text) => {
        options.notes.draft = text
      },
    })
    this.#composer.text = options.notes.draft
    const foot = el('div', { class: 'chat-foot' }, this.#queue.element, this.#composer.element)
    this.element = el(
      'div',
      { class: 'chat' },
      this.#header.element,
      this.#banner.element,
      this.#transcript.element,
      foot,
      this.#announcer.element,
    )
    this.#unsubscribe = client.subscribe(() => this.#frames.schedule())
    this.#render(client.state)
  }

  focus(): void {
    this.#composer.focus()
  }

  /** Gives the focus to where one goes on: to the field where there is a keyboard, else to the transcript. */
  goOn(): void {
    if (hasKeyboard()) this.#composer.focus()
    else this.#transcript.focus()
  }

  /** Says in the composer what went wrong with something that was asked for elsewhere. */
  showFault(message: string): void {
    this.#composer.showFault(message)
  }

  dispose(): void {
    this.#unsubscribe()
    this.#frames.cancel()
    this.#banner.dispose()
    this.element.remove()
  }

  /** What had the focus may go: whoever uses a keyboard goes on in the transcript, not at the top of the page. */
  #render(state: ClientState): void {
    const hadFocus = holdsFocus(this.element)
    this.#update(state)
    const focused = rootOf(this.element).activeElement
    const isThere = focused !== null && this.element.contains(focused) && focused.checkVisibility()
    if (hadFocus && (!isThere || focused.matches(':disabled'))) this.#transcript.focus()
  }

  #update({ connection, conversation, loadingOlder }: ClientState): void {
    const entries = toEntries(conversation).map((entry) => this.#asSeenHere(entry))
    const busy = conversation.status === 'processing'
    const waiting = conversation.sends.filter((send) => send.delivery.state === 'waiting').length
    const refused = connection.phase === 'refused'
    this.#header.update(conversation, refused)
    this.#banner.update(noticeOf(connection, waiting, navigator.onLine))
    this.#older.hidden = !conversation.hasMore
    this.#older.disabled = loadingOlder
    setText(this.#older, loadingOlder ? 'Loading…' : 'Show earlier messages')
    const isKnown = conversation.model !== undefined
    this.#welcome.update(isKnown && entries.length === 0, conversation.model)
    this.#transcript.update(entries, { busy, refused })
    this.#queue.update(conversation.queue, sendsBehind(conversation))
    this.#composer.update({
      busy,
      stopping: conversation.cancelling !== undefined,
      canStop: conversation.runId !== undefined,
      status: statusOf({ connection, conversation, loadingOlder }),
    })
    this.#announcer.update(conversation, entries)
  }

  /** A call that waits for a page which has its tool is being made where this is that page. */
  #asSeenHere(entry: Entry): Entry {
    const isOwn = entry.kind === 'tool' && entry.state === 'elsewhere' && this.#client.executes(entry.name)
    return isOwn ? { ...entry, state: 'running' } : entry
  }

  #send(text: string): Outcome {
    const outcome = this.#client.send(text)
    if (outcome.ok) this.#transcript.toEnd()
    return outcome
  }

  #editLast(): void {
    const last = toEntries(this.#client.state.conversation).findLast((entry) => entry.kind === 'user')
    if (last?.kind === 'user' && last.delivery === undefined) this.#transcript.edit(last.id)
  }

  #edit(messageId: string, text: string): Outcome {
    const outcome = this.#client.edit(messageId, text)
    this.#showOutcome(outcome)
    if (outcome.ok) this.goOn()
    return outcome
  }

  /** A message that was being changed is gone: another tab went back behind it. */
  #keep(text: string): void {
    this.#composer.add(text)
    this.#composer.showFault('The message you were changing was replaced. What you wrote is here.')
    if (holdsFocus(this.#transcript.element)) this.goOn()
  }

  /** A second press of a double click asks for nothing more. */
  async #retry(runId: string): Promise<void> {
    if (this.#retries || this.#client.state.conversation.status === 'processing') return
    this.#retries = true
    await this.#report(this.#client.retry(runId)).finally(() => (this.#retries = false))
  }

  #actions(): EntryActions {
    const client = this.#client
    return {
      retry: (runId) => void this.#retry(runId),
      edit: (messageId, text) => this.#edit(messageId, text),
      keep: (text) => this.#keep(text),
      decide: (call, approved) =>
        void this.#report(
          call.state === 'asks' ? client.decide(call.callId, approved) : client.declineCall(call.callId),
        ),
      resend: (messageId) => client.resend(messageId),
      discard: (messageId) => client.discard(messageId),
      textOf: (answerIds) => {
        const { messages } = client.state.conversation
        return answerIds.map((id) => messages.find((message) => message.id === id)?.content ?? '').join('\n\n')
      },
    }
  }

  async #report(asked: Promise<Outcome>): Promise<void> {
    this.#showOutcome(await asked)
  }

  #showOutcome(outcome: Outcome): void {
    this.#composer.showFault(outcome.ok ? '' : `${outcome.message}.`)
  }
}

function statusOf({ connection, conversation }: ClientState): string {
  if (conversation.cancelling !== undefined) return 'Stopping…'
  switch (connection.phase) {
    case 'ready':
      return conversation.status === 'processing' ? 'Answering…' : 'Ready'
    case 'connecting':
      return 'Connecting…'
    case 'reconnecting':
      return 'Not connected'
    case 'refused':
      return 'Not connected'
    case 'closed':
      return 'Closed'
    default:
      return connection satisfies never
  }
}
