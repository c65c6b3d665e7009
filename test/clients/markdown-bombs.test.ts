// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'
import { patchChildren } from '../../clients/ui/dom.ts'
import { lexMarkdown, renderMarkdown } from '../../clients/ui/markdown.ts'
import { MarkdownView } from '../../clients/ui/markdown-view.ts'

const purified = vi.hoisted(() => ({ count: 0, onPurify: () => {} }))

// As in markdown.test.ts.
vi.mock('dompurify', () => ({
  default: () => ({
    sanitize(html: string): DocumentFragment {
      purified.count++
      purified.onPurify()
      const template = document.createElement('template')
      template.innerHTML = html
      return document.importNode(template.content, true)
    },
  }),
}))

function render(text: string): HTMLElement {
  const element = document.createElement('div')
  element.append(renderMarkdown(text))
  return element
}

/** A table of `columns` and so many rows without a cell of their own, which are filled up. */
function table(columns: number, rows: number): string {
  return `|${'a|'.repeat(columns)}\n|${'-|'.repeat(columns)}\n${'|\n'.repeat(rows)}`
}

describe('Markdown that is made to stop the page', () => {
  // Each took the better part of a minute.
  it.each(['a*', '_a', 'a_b'])('is read at once: %j', (mark) => {
    const text = mark.repeat(200_000 / mark.length)
    const { blocks } = lexMarkdown(text)
    expect(blocks.map(({ raw }) => raw).join('')).toBe(text)
  })

  it('keeps its marks, lines and texts where a paragraph is very long', () => {
    const line = 'a **bold** word and `code`'
    const shown = render(Array.from({ length: 400 }, () => line).join('\n'))
    expect(shown.querySelectorAll('strong')).toHaveLength(400)
    expect(shown.querySelectorAll('br')).toHaveLength(399)
    expect(shown.textContent.replaceAll('\n', '')).toBe('a bold word and code'.repeat(400))
  })

  it('is no table where it would have too many cells', () => {
    expect(render(table(2000, 2000)).querySelector('table')).toBeNull()
    expect(render(table(20, 400)).querySelectorAll('td')).toHaveLength(8000)
    expect(render(`${table(2, 1)}\n${'line | line\n'.repeat(6000)}`).querySelectorAll('table')).toHaveLength(1)
  })
})

describe('Markdown that grows and takes long', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('leaves the page more time than it takes', () => {
    vi.useFakeTimers()
    let now = 10_000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    purified.onPurify = () => (now += 1000)
    purified.count = 0
    const view = new MarkdownView()
    view.set('a'.repeat(5000), false)
    now += 500
    view.set('a'.repeat(5001), false)
    expect(purified.count).toBe(1)
    // It took 1 s, and the next one begins 5 s after its start.
    vi.advanceTimersByTime(3499)
    expect(purified.count).toBe(1)
    vi.advanceTimersByTime(1)
    expect(purified.count).toBe(2)
    view.set('a'.repeat(5002), true)
    expect(purified.count).toBe(3)
    vi.useRealTimers()
  })

  it('waits for a block no longer because of the one before it', () => {
    vi.useFakeTimers()
    let now = 10_000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    purified.onPurify = () => (now += 1000)
    const view = new MarkdownView()
    const first = `${'a'.repeat(5000)}\n\n`
    view.set(first, false)
    purified.onPurify = () => {}
    now += 10_000
    view.set(`${first}b`, false)
    purified.count = 0
    view.set(`${first}${'b'.repeat(5000)}`, false)
    vi.advanceTimersByTime(120)
    expect(purified.count).toBe(1)
    vi.useRealTimers()
  })

  it('takes an element with very many new children whole, which dir="auto" would make slow one by one', () => {
    const paragraph = (count: number): Element => {
      const element = document.createElement('p')
      for (let index = 0; index < count; index++) element.append(document.createElement('em'))
      return element
    }
    const parent = document.createElement('div')
    const [few, many] = [paragraph(10), paragraph(1000)]
    parent.append(few)
    patchChildren(parent, [paragraph(20)])
    expect(parent.firstChild).toBe(few)
    patchChildren(parent, [many])
    expect(parent.firstChild).toBe(many)
  })
})
