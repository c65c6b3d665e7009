import type { Conversation } from '../core/conversation.ts'
import type { Entry } from '../core/entries.ts'
import { el } from './dom.ts'
import { renderMarkdown } from './markdown.ts'
import { endText } from './wording.ts'

/** Characters of an answer that are read out unasked; the rest is in the transcript. */
const SPOKEN_CHARS = 600

/** Reads out what a screen reader's user would otherwise miss: answers when they are finished, never token by token. */
export class Announcer {
  readonly element = el('div', { class: 'visually-hidden', 'aria-live': 'polite', 'aria-atomic': true })
  #runId: string | undefined
  /** Calls whose question was read out. */
  #asked: ReadonlySet<string> = new Set()

  update({ runId }: Conversation, entries: readonly Entry[]): void {
    const ended = this.#runId
    this.#runId = runId
    const answer = ended === undefined || ended === runId ? [] : [spoken(entries, ended)]
    const questions = entries.filter((entry) => entry.kind === 'tool' && entry.state === 'asks')
    const fresh = questions.flatMap((entry) =>
      entry.kind === 'tool' && !this.#asked.has(entry.id) ? [`Allow ${entry.name} to be called?`] : [],
    )
    this.#asked = new Set(questions.map(({ id }) => id))
    const words = [...answer, ...fresh].join(' ').trim()
    if (words !== '') this.#say(words)
  }

  #say(text: string): void {
    this.element.textContent = text
  }
}

function spoken(entries: readonly Entry[], runId: string): string {
  const answer = entries
    .flatMap((entry) => (entry.kind === 'answer' && entry.runId === runId ? [plainText(entry.text)] : []))
    .join(' ')
  const end = entries.find((entry) => entry.kind === 'end' && entry.runId === runId)
  const outcome = end?.kind === 'end' ? end.end.outcome : 'success'
  const words = answer.length > SPOKEN_CHARS ? `${answer.slice(0, SPOKEN_CHARS)}…` : answer
  if (outcome === 'cancelled') return `Answer stopped. ${words}`
  if (end?.kind === 'end' && outcome !== 'success') return `The answer failed. ${endText(end)} ${words}`
  return words === '' ? '' : `Assistant: ${words}`
}

/** Markdown as it is said: without its signs. Blocks that are left out would not be read anyway. */
function plainText(markdown: string): string {
  return [...renderMarkdown(markdown.slice(0, SPOKEN_CHARS * 2)).children].map((block) => block.textContent).join(' ')
}
