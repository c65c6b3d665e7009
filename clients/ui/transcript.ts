import type { Entry } from '../core/entries.ts'
import { AnswerView } from './answer-view.ts'
import { Column, type Placed } from './column.ts'
import { el } from './dom.ts'
import { EndView } from './end-view.ts'
import type { EntryActions, EntryContext, EntryView } from './entry-view.ts'
import { icon } from './icons.ts'
import { ReasoningView } from './reasoning-view.ts'
import { ToolView } from './tool-view.ts'
import { UserView } from './user-view.ts'

/** Pixels from the end within which a reader counts as following it. */
const FOLLOW_PX = 48
/** Pixels within which the end is reached, on screens with fractions of pixels. */
const AT_END_PX = 2

type Slot = {
  readonly element: HTMLElement
  readonly kind: Entry['kind']
  update(entry: Entry, context: EntryContext): void
  startEdit?(): void
  leave?(): void
}

/**
 * The list of entries, which scrolls. Follows the end while the reader is there, and stays where they are when they read
 * further up. Not a live region itself, or a screen reader would read every token: finished answers are announced elsewhere.
 */
export class Transcript {
  readonly #actions: EntryActions
  readonly #slots = new Map<string, Slot>()
  readonly #column = new Column()
  readonly #top = el('div', { class: 'transcript-top' })
  readonly #scroller: HTMLElement
  readonly #jump: HTMLButtonElement
  readonly element: HTMLElement
  #context: EntryContext = { busy: false, refused: false }
  #follows = true
  /** Pixels, when the reader or this last scrolled. */
  #scrollTop = 0
  /** Pixels of it that are seen. */
  #height = 0
  #firstId: string | undefined

  /** `onJump`: the newest was asked for, and what had the focus goes away. */
  constructor(actions: EntryActions, top: readonly HTMLElement[], onJump: () => void) {
    this.#actions = actions
    this.#top.append(...top)
    this.#scroller = el(
      'div',
      { class: 'transcript', role: 'log', 'aria-live': 'off', 'aria-label': 'Conversation', tabindex: 0 },
      this.#top,
      this.#column.element,
    )
    this.#jump = el(
      'button',
      { type: 'button', class: 'jump', hidden: true, onclick: () => this.#jumpToEnd(onJump) },
      icon('down'),
      'Latest',
    )
    this.element = el('div', { class: 'transcript-frame' }, this.#scroller, this.#jump)
    this.#scroller.addEventListener('scroll', () => this.#onScroll(), { passive: true })
    // What grows without us (a fold that opens, a window that turns, what is written below) must not leave the end behind.
    const sizes = new ResizeObserver(() => this.#onResize())
    sizes.observe(this.#column.element)
    sizes.observe(this.#scroller)
  }

  update(entries: readonly Entry[], { busy, refused }: EntryContext): void {
    if (busy !== this.#context.busy || refused !== this.#context.refused) this.#context = { busy, refused }
    const before = this.#scroller.scrollHeight
    const ids = new Set(entries.map((entry) => entry.id))
    for (const [id, gone] of this.#slots) {
      if (ids.has(id)) continue
      gone.leave?.()
      this.#slots.delete(id)
    }
    this.#column.show(entries.map((entry) => this.#show(entry)))
    const firstId = entries[0]?.id
    const wasPrepended = this.#firstId !== undefined && this.#firstId !== firstId && ids.has(this.#firstId)
    this.#firstId = firstId
    if (wasPrepended && !this.#follows) this.#scroller.scrollTop += this.#scroller.scrollHeight - before
    else this.#keepPlace()
  }

  /** Shows the newest, and follows from there. */
  toEnd(): void {
    this.#follows = true
    this.#keepPlace()
  }

  #jumpToEnd(onJump: () => void): void {
    this.toEnd()
    onJump()
  }

  focus(): void {
    this.#scroller.focus({ preventScroll: true })
  }

  /** Opens an entry for a change. */
  edit(id: string): void {
    this.#slots.get(id)?.startEdit?.()
  }

  #keepPlace(): void {
    if (this.#follows) {
      this.#scroller.scrollTop = this.#scroller.scrollHeight
      this.#scrollTop = this.#scroller.scrollTop
    }
    this.#jump.hidden = this.#follows
  }

  #onResize(): void {
    this.#height = this.#scroller.clientHeight
    this.#column.fit()
    this.#keepPlace()
  }

  #onScroll(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller
    // Not the reader: this put it there, or it moved because its size changed.
    if (scrollTop === this.#scrollTop) return
    if (clientHeight !== this.#height) return this.#onResize()
    // Who moves up wants to read, however small the step: while an answer comes they would be taken back at once.
    const isUp = scrollTop < this.#scrollTop
    this.#scrollTop = scrollTop
    this.#follows = scrollHeight - scrollTop - clientHeight < (isUp ? AT_END_PX : FOLLOW_PX)
    this.#jump.hidden = this.#follows
  }

  #show(entry: Entry): Placed {
    const known = this.#slots.get(entry.id)
    const slot = known?.kind === entry.kind ? known : slotFor(entry, this.#actions)
    this.#slots.set(entry.id, slot)
    slot.update(entry, this.#context)
    return { element: slot.element, begins: entry.kind === 'user' }
  }
}

function slotFor(entry: Entry, actions: EntryActions): Slot {
  switch (entry.kind) {
    case 'user':
      return slot(entry.kind, new UserView(entry, actions))
    case 'answer':
      return slot(entry.kind, new AnswerView())
    case 'reasoning':
      return slot(entry.kind, new ReasoningView())
    case 'tool':
      return slot(entry.kind, new ToolView(entry, actions))
    case 'end':
      return slot(entry.kind, new EndView(entry, actions))
    case 'working':
      return { kind: 'working', element: working(), update: () => undefined }
    default:
      return entry satisfies never
  }
}

/** A view of one kind as a slot that is given entries of that kind only, and only when they say something else. */
function slot<K extends Entry['kind']>(kind: K, view: EntryView<Extract<Entry, { kind: K }>>): Slot {
  const isKind = (entry: Entry): entry is Extract<Entry, { kind: K }> => entry.kind === kind
  let drawn: { readonly entry: Entry; readonly context: EntryContext } | undefined
  return {
    kind,
    element: view.element,
    update: (entry, context) => {
      if (!isKind(entry) || (drawn?.context === context && isEqual(drawn.entry, entry))) return
      drawn = { entry, context }
      view.update(entry, context)
    },
    startEdit: () => view.startEdit?.(),
    leave: () => view.leave?.(),
  }
}

/** Whether two values of plain data say the same. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length && names.every((name) => isEqual(Reflect.get(a, name), Reflect.get(b, name)))
  )
}

function working(): HTMLElement {
  return el('div', { class: 'entry working', 'aria-hidden': true }, el('i'), el('i'), el('i'))
}
