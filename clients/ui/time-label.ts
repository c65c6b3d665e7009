import { el, setAttribute, setText } from './dom.ts'

const TIME = { hour: 'numeric', minute: '2-digit' } as const
const DATE = { ...TIME, day: 'numeric', month: 'short' } as const
const DATE_OF_OTHER_YEAR = { ...DATE, year: 'numeric' } as const
const WHOLE = { dateStyle: 'full', timeStyle: 'medium' } as const

/** When something was said, in the person's own way of writing times; the whole of it as a tooltip. */
export class TimeLabel {
  readonly element = el('time', { class: 'when', hidden: true })
  #iso: string | undefined

  /** `iso`: ISO 8601. What is no time shows nothing. */
  set(iso: string | undefined): void {
    if (iso === this.#iso) return
    this.#iso = iso
    const at = new Date(iso ?? '')
    this.element.hidden = Number.isNaN(at.getTime())
    if (this.element.hidden) return
    setText(this.element, shortTime(at, new Date()))
    setAttribute(this.element, 'datetime', at.toISOString())
    setAttribute(this.element, 'title', at.toLocaleString(undefined, WHOLE))
  }
}

/** The time of day, with as much of the date as tells it from `now`'s. */
export function shortTime(at: Date, now: Date): string {
  const isToday = at.toDateString() === now.toDateString()
  const isThisYear = at.getFullYear() === now.getFullYear()
  return at.toLocaleString(undefined, isToday ? TIME : isThisYear ? DATE : DATE_OF_OTHER_YEAR)
}
