// @vitest-environment happy-dom
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { renderMarkdown } from '../../clients/ui/markdown.ts'
import { MarkdownView } from '../../clients/ui/markdown-view.ts'
import { ATTACKS, findDangers } from './attacks.ts'

// The renderers alone: that the purifier does its part, too, is shown in a browser. (It does not work in happy-dom.)
vi.mock('dompurify', () => ({
  default: () => ({
    sanitize(html: string): DocumentFragment {
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

describe('Markdown of a model, even without the purifier,', () => {
  it.each(ATTACKS)('is inert: %s', (attack) => {
    expect(findDangers(render(attack))).toEqual([])
    expect(findDangers(render(`text before ${attack} and after`))).toEqual([])
  })

  it.each([
    ['quotes', '>'.repeat(20_000)],
    ['quotes with spaces', '> '.repeat(20_000)],
    ['lists', '- '.repeat(10_000)],
    ['numbered lists', '1. '.repeat(5_000)],
    ['emphasis', '*'.repeat(3_000)],
  ])('is shown as it was written when it nests beyond all measure: %s', (_what, marks) => {
    const text = `Before\n\n${marks}a${marks}`
    expect(render(text).textContent).toContain(`${marks}a`)
    const view = new MarkdownView()
    view.set(text.slice(0, -1), false)
    view.set(text, true)
    expect(view.element.textContent).toContain(`${marks}a`)
  })

  it('is inert whatever it is made of', () => {
    const piece = fc.constantFrom(
      ...ATTACKS,
      '\n\n',
      '\n',
      '```',
      '`',
      '**',
      '[',
      '](',
      ')',
      '<',
      '>',
      '| ',
      '- ',
      '> ',
      '"',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        expect(findDangers(render(pieces.join('')))).toEqual([])
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  it('shows raw HTML as the text that it is', () => {
    expect(render('Use <script> here').textContent).toBe('Use <script> here')
    expect(render('<form>\nSign in\n</form>').textContent).toContain('<form>')
  })

  it('links to the web and to mail only, in a new window that knows nothing of this one', () => {
    const link = render('[site](https://ok.example/a)').querySelector('a')
    expect(link?.getAttribute('href')).toBe('https://ok.example/a')
    expect(link?.getAttribute('rel')).toBe('noopener noreferrer')
    expect(link?.getAttribute('target')).toBe('_blank')
    expect(link?.getAttribute('title')).toBe('https://ok.example/a')
    expect(render('[mail](mailto:a@b.example)').querySelector('a')?.getAttribute('href')).toBe('mailto:a@b.example')
    const dead = render('[text](ftp://ok.example)')
    expect(dead.querySelector('a')).toBeNull()
    expect(dead.textContent).toBe('text')
  })

  it('keeps the marks of mathematics, and what stands between them, as they were written', () => {
    const element = render('Area \\(A = \\pi r_1 * r_2 * 3\\), then\n\n\\[ x_{1,2} < \\frac{a}{b} \\]')
    expect([...element.children].map(({ textContent }) => textContent)).toEqual([
      'Area \\(A = \\pi r_1 * r_2 * 3\\), then',
      '\\[ x_{1,2} < \\frac{a}{b} \\]',
    ])
    expect(element.querySelector('em')).toBeNull()
    expect(render('\\[not a link\\](https://ok.example) and 1\\. \\*').textContent).toBe(
      '[not a link](https://ok.example) and 1. *',
    )
  })

  it('never loads an image: it becomes a link', () => {
    const image = render('![a chart](https://elsewhere.example/x.png)')
    expect(image.querySelector('img')).toBeNull()
    expect(image.querySelector('a')?.textContent).toBe('a chart')
    expect(image.querySelector('a')?.getAttribute('href')).toBe('https://elsewhere.example/x.png')
  })

  it('keeps what it is written for: emphasis, lists, tables, code, breaks and boxes', () => {
    const element = render(
      '# One\n\n**a** _b_ ~~c~~\nnext\n\n3. x\n4. y\n\n- [x] done\n\n|l|r|\n|-|-:|\n|1|2|\n\n```ts\nlet a = 1\n```\nH<sub>2</sub>O',
    )
    expect(element.querySelector('h3')?.textContent).toBe('One')
    expect(element.querySelectorAll('strong, em, del, br')).toHaveLength(4)
    expect(element.querySelector('ol')?.getAttribute('start')).toBe('3')
    expect(element.textContent).toContain('☑ done')
    expect(element.querySelector('td[align="right"]')?.textContent).toBe('2')
    expect(element.querySelector('.code-language')?.textContent).toBe('ts')
    expect(element.querySelector('pre code')?.textContent).toBe('let a = 1')
    expect(element.querySelector('sub')?.textContent).toBe('2')
  })
})

/** Pieces of Markdown whose meaning changes with what follows. */
const PIECES = [
  'para',
  '\n',
  '\n\n',
  '- item',
  '1. one',
  '# head',
  '```\ncode',
  '```',
  '***',
  '**bold**',
  '> quote',
  '| a | b |\n|---|---|\n| 1 | 2 |',
  '---',
  '    indented',
  '[ref]',
  '\n\n[ref]: https://ok.example\n\n',
  '`x`',
  ' ',
  '<br>',
  '\r\n',
]

describe('Markdown that grows', () => {
  it('ends as it would have been rendered at once, however it came', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }),
        fc.integer({ min: 1, max: 9 }),
        (pieces, step) => {
          const text = pieces.join('')
          const view = new MarkdownView()
          for (let end = step; end < text.length; end += step) view.set(text.slice(0, end), false)
          view.set(text, true)
          expect(view.element.innerHTML).toBe(render(text.replaceAll('\r\n', '\n')).innerHTML)
        },
      ),
      { seed: 11, numRuns: 400 },
    )
  })

  it('leaves the elements of complete blocks alone, and goes on in the one that was not', () => {
    const view = new MarkdownView()
    view.set('First.\n\nSec', false)
    const [first, second] = view.element.children
    view.set('First.\n\nSecond, and\n\nthird', false)
    expect(view.element.children[0]).toBe(first)
    expect(view.element.children[1]).toBe(second)
    expect(view.element.textContent).toBe('First.Second, andthird')
  })

  it('starts over when the text is another', () => {
    const view = new MarkdownView()
    view.set('One\n\ntwo', false)
    view.set('Another', true)
    expect(view.element.textContent).toBe('Another')
  })

  it('rests after a rendering of a long block as many times as long as that took', () => {
    vi.useFakeTimers()
    const view = new MarkdownView()
    // What it takes to lay it out.
    vi.spyOn(view.element, 'offsetHeight', 'get').mockImplementation(() => {
      vi.advanceTimersByTime(400)
      return 1
    })
    let text = `\`\`\`\n${'const a = 1\n'.repeat(1000)}`
    const seen = new Set<number>()
    for (let frame = 0; frame < 600; frame++) {
      text += 'const b = 2\n'
      view.set(text, false)
      vi.advanceTimersByTime(16)
      seen.add(view.element.textContent.length)
    }
    expect(seen.size).toBeLessThan(8)
    view.set(text, true)
    expect(view.element.textContent.match(/const b = 2/g)).toHaveLength(600)
    vi.useRealTimers()
  })
})
