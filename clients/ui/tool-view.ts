import { isDeeperThan } from '../../src/protocol/codec.ts'
import type { ToolEntry, ToolState } from '../core/entries.ts'
import { textButton } from './buttons.ts'
import { el, setAttribute, setText } from './dom.ts'
import type { EntryActions, EntryContext, EntryView } from './entry-view.ts'
import { icon } from './icons.ts'

const STATES = {
  writing: 'Preparing…',
  running: 'Running…',
  asks: 'Waits for you',
  elsewhere: 'Waits for a page that has this tool',
  done: 'Done',
  failed: 'Failed',
  unfinished: 'No result',
} as const satisfies Record<ToolState, string>

/** Deeper JSON is shown as it came: its indentation would be many times its length, and endless nesting the end of the stack. */
const MAX_PRETTY_DEPTH = 16

/** Characters of the arguments in the line that is always seen. */
const PREVIEW_CHARS = 80

/** One call of a tool: its name and state, and its arguments and result for who opens it. One that asks first is open, with its question. */
export class ToolView implements EntryView<ToolEntry> {
  readonly #name = el('code', { class: 'tool-name' })
  readonly #preview = el('span', { class: 'tool-preview' })
  readonly #state = el('span', { class: 'tool-state' })
  readonly #arguments = el('pre', { tabindex: 0, dir: 'ltr', 'aria-label': 'Arguments' })
  readonly #resultLabel = el('div', { class: 'tool-heading' })
  readonly #result = el('pre', { tabindex: 0, dir: 'ltr', 'aria-label': 'Result' })
  readonly #resultPart = el('div', { hidden: true }, this.#resultLabel, this.#result)
  readonly #details = el(
    'details',
    { class: 'fold tool' },
    el('summary', {}, icon('chevron'), icon('tool'), this.#name, this.#preview, this.#state),
    el(
      'div',
      { class: 'fold-body' },
      el('div', { class: 'tool-heading' }, 'Arguments'),
      this.#arguments,
      this.#resultPart,
    ),
  )
  readonly #question = el('p', { class: 'tool-question' })
  readonly #allow: HTMLButtonElement
  readonly #decline: HTMLButtonElement
  readonly #decision: HTMLElement
  readonly element: HTMLElement
  #entry: ToolEntry
  /** As it was last shown. */
  #drawn: ToolEntry | undefined

  constructor(entry: ToolEntry, actions: EntryActions) {
    this.#entry = entry
    this.#allow = textButton('Allow', () => actions.decide(this.#entry, true), { class: 'button primary' })
    this.#decline = textButton('Decline', () => actions.decide(this.#entry, false))
    const buttons = el('div', { class: 'tool-buttons' }, this.#allow, this.#decline)
    this.#decision = el('div', { class: 'tool-decision', hidden: true }, this.#question, buttons)
    this.element = el('article', { class: 'entry', 'aria-label': 'Tool call' }, this.#details, this.#decision)
  }

  update(entry: ToolEntry, { busy }: EntryContext): void {
    const before = this.#drawn
    this.#entry = this.#drawn = entry
    this.#updateDecision(entry, busy)
    const { state, truncated, error } = entry
    // Called for every token of an answer; what it shows is much and seldom changes.
    if (before?.state === state && before.arguments === entry.arguments && before.result === entry.result) return
    setText(this.#name, entry.name)
    setAttribute(this.#name, 'title', entry.name)
    setText(this.#preview, previewOf(entry))
    setText(this.#state, STATES[state])
    this.#details.dataset['state'] = state
    setText(this.#arguments, pretty(entry.arguments))
    const result = error ?? entry.result
    this.#resultPart.hidden = result === undefined
    if (result === undefined) return
    setText(this.#resultLabel, error === undefined ? 'Result' : 'Error')
    setText(this.#result, pretty(result) + (truncated ? '\n… (shortened)' : ''))
  }

  #updateDecision({ name, state }: ToolEntry, busy: boolean): void {
    const waits = state === 'asks' || state === 'elsewhere'
    // Who decides should see what about.
    if (waits && this.#decision.hidden) this.#details.open = true
    this.#decision.hidden = !waits
    setText(this.#question, state === 'asks' ? `Allow ${name} to be called with this?` : STATES.elsewhere)
    this.#allow.hidden = state !== 'asks'
    this.#allow.disabled = this.#decline.disabled = busy
  }
}

/** The first argument's value says most; of anything else, its start. */
function previewOf({ arguments: text, result, state }: ToolEntry): string {
  const parsed = parse(text)
  const values = typeof parsed === 'object' && parsed !== null ? Object.values(parsed) : []
  const [first] = values
  const question = typeof first === 'string' || typeof first === 'number' ? String(first) : ''
  const answer = state === 'done' && result !== undefined && !result.includes('\n') ? ` → ${result}` : ''
  const preview = `${question}${answer}`.trim()
  return preview.length > PREVIEW_CHARS ? `${preview.slice(0, PREVIEW_CHARS)}…` : preview
}

function pretty(text: string): string {
  const parsed = isDeeperThan(text, MAX_PRETTY_DEPTH) ? undefined : parse(text)
  return typeof parsed === 'object' && parsed !== null ? JSON.stringify(parsed, null, 2) : text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Arguments that are still being written are no JSON yet.
    return undefined
  }
}
