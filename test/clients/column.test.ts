// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from 'vitest'
import { Column, type Placed } from '../../clients/ui/column.ts'

let count = 0

/** So many questions, each with an answer. */
function turns(many: number): Placed[] {
  return Array.from({ length: many * 2 }, (_, at) => {
    const element = document.createElement('article')
    element.id = `e${count++}`
    return { element, begins: at % 2 === 0 }
  })
}

const ids = (elements: Iterable<Element>): string[] => [...elements].map(({ id }) => id)

describe('the entries of a conversation', () => {
  let column: Column
  const parts = (): Element[] => [...column.element.children]
  const shown = (): string[] => ids(column.element.querySelectorAll('article'))
  beforeEach(() => {
    column = new Column()
  })

  it('stand in order in parts that begin with a question', () => {
    const entries = turns(50)
    column.show(entries)
    expect(shown()).toEqual(ids(entries.map(({ element }) => element)))
    expect(parts().length).toBeGreaterThan(1)
    const firsts = new Set(parts().map((part) => part.firstElementChild))
    expect(entries.filter(({ element }) => firsts.has(element)).every(({ begins }) => begins)).toBe(true)
  })

  it('stay in their part when others come before and behind them, and leave it when they go', () => {
    const entries = turns(50)
    column.show(entries)
    const before = parts()
    const [earlier, later] = [turns(25), turns(60)]
    column.show([...earlier, ...entries, ...later])
    expect(shown()).toEqual(ids([...earlier, ...entries, ...later].map(({ element }) => element)))
    expect(parts().filter((part) => before.includes(part))).toEqual(before)
    column.show(later)
    expect(shown()).toEqual(ids(later.map(({ element }) => element)))
    column.show([])
    expect(parts()).toEqual([])
  })

  it('are not moved by one that comes between them', () => {
    const entries = turns(50)
    column.show(entries)
    const partOfLast = entries.at(-1)?.element.parentElement
    const [between] = turns(1)
    const changed = entries.flatMap((each, at) => (at === 11 && between !== undefined ? [between, each] : [each]))
    column.show(changed)
    expect(shown()).toEqual(ids(changed.map(({ element }) => element)))
    expect(entries.at(-1)?.element.parentElement).toBe(partOfLast)
  })
})
