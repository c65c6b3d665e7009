import { el, setChildren } from './dom.ts'

/** Entries of a part: few enough to be laid out within a frame, so many that a long conversation has few parts. */
const PART_ENTRIES = 40

/** An entry's element, and whether a part may begin with it. */
export type Placed = { readonly element: HTMLElement; readonly begins: boolean }

/**
 * Entries one under another, in parts. The browser leaves out those that are out of sight, so that a frame of a long conversation
 * costs it no more than one of a short one; but only once it knows how high a part is: nothing moves for who scrolls.
 */
export class Column {
  readonly element = el('div', { class: 'column' })
  #shown: readonly Placed[] = []
  #partOf: ReadonlyMap<HTMLElement, HTMLElement> = new Map()
  #width = 0
  #frame = 0

  show(entries: readonly Placed[]): void {
    const isSame = (entry: Placed, at: number): boolean => entry.element === this.#shown[at]?.element
    if (entries.length === this.#shown.length && entries.every(isSame)) return
    this.#shown = entries
    const parts = this.#divide()
    for (const [part, elements] of parts) setChildren(part, elements)
    setChildren(this.element, [...parts.keys()])
    this.#settle()
  }

  /** To be called when its size may be another: in another width each part has another height. */
  fit(): void {
    const { clientWidth } = this.element
    if (clientWidth === this.#width) return
    this.#width = clientWidth
    cancelAnimationFrame(this.#frame)
    this.#frame = requestAnimationFrame(() => {
      for (const part of this.element.children) part.classList.remove('settled')
      this.#settle()
    })
  }

  /** Each entry stays in the part that it is in; new ones fill the part before them or begin another. */
  #divide(): ReadonlyMap<HTMLElement, readonly HTMLElement[]> {
    const parts = new Map<HTMLElement, HTMLElement[]>()
    const partOf = new Map<HTMLElement, HTMLElement>()
    let part: HTMLElement | undefined
    let elements: HTMLElement[] = []
    for (const { element, begins } of this.#shown) {
      const known = this.#partOf.get(element)
      const isFull = begins && elements.length >= PART_ENTRIES
      const next = known !== undefined && (known === part || !parts.has(known)) ? known : isFull ? undefined : part
      if (next === undefined || next !== part) {
        part = next ?? el('div', { class: 'part' })
        elements = []
        parts.set(part, elements)
      }
      elements.push(element)
      partOf.set(element, part)
    }
    this.#partOf = partOf
    return parts
  }

  /** After a frame in which every part was laid out. The last one still grows: it is never left out. */
  #settle(): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = requestAnimationFrame(() => {
      this.#frame = requestAnimationFrame(() => {
        if (this.#width === 0) return
        for (const part of this.element.children) part.classList.toggle('settled', part !== this.element.lastChild)
      })
    })
  }
}
