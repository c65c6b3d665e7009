import { describe, expect, it } from 'vitest'
import { readHtml } from '../../src/documents/html.ts'
import { readMarkdown } from '../../src/documents/markdown.ts'

describe('Markdown', () => {
  it('is taken apart at its headings, whose path each section has', () => {
    const source =
      '---\ntitle: x\n---\nintro\n# A\none\n\ntwo\n## B ##\nthree\nC\n===\nfour\n\nD\n---\nfive\r\n#no heading\n'
    expect(readMarkdown(source)).toEqual([
      { heading: '', text: 'intro' },
      { heading: 'A', text: 'one\n\ntwo' },
      { heading: 'A > B', text: 'three\nC\n===\nfour' },
      { heading: 'A > D', text: 'five\n#no heading' },
    ])
  })

  it('keeps a line that is underlined as a heading only when it stands alone', () => {
    expect(readMarkdown('Title\n=====\ntext\n\n- item\n---\nmore\n\n---\nend')).toEqual([
      { heading: 'Title', text: 'text\n\n- item\n---\nmore\n\n---\nend' },
    ])
  })

  it('finds no heading in a block of code', () => {
    const block = '````\n# no\n```\n# no\n````'
    expect(readMarkdown(`# Yes\n${block}\n~~~ sh\n# no`)).toEqual([{ heading: 'Yes', text: `${block}\n~~~ sh\n# no` }])
  })

  it('forgets headings of deeper levels, and shows the innermost where not all fit', () => {
    const long = 'x'.repeat(150)
    const found = readMarkdown(`# A\n### C\none\n## B\ntwo\n# ${long}\n## ${long}y\nthree`)
    expect(found.map(({ heading }) => heading)).toEqual(['A > C', 'A > B', `${long}y`])
  })

  it.each([
    ['spaces after a mark', `# ${' '.repeat(2_000_000)}x`],
    ['fences', '```\n'.repeat(400_000)],
    ['an opened front matter', `---\n${'a\n--- x\n'.repeat(200_000)}`],
    ['marks', '#'.repeat(2_000_000)],
  ])('of hostile %s is read in time', (_what, source) => {
    const began = performance.now()
    readMarkdown(source)
    expect(performance.now() - began).toBeLessThan(2000)
  })
})

describe('HTML', () => {
  it('is taken apart at its headings, without what is no text', () => {
    const page = `<!doctype html><head><title>The  shop</title><style>p{}</style></head><body><nav>menu</nav>
      <p>Welcome &amp; hello<br>you</p><script>alert("x")</script>
      <h1>Returns</h1><p>Shoes <b>come</b>  back.</p><ul><li>one</li><li>two</li></ul>
      <h2>Costs</h2><table><tr><td>a</td><td>b</td></tr></table><pre>x\n  y</pre>`
    expect(readHtml(page)).toEqual([
      { heading: 'The shop', text: 'Welcome & hello\nyou' },
      { heading: 'Returns', text: expect.stringMatching(/^Shoes come back\.\n\n- one\n+- two$/) },
      { heading: 'Returns > Costs', text: expect.stringMatching(/^a \| b \|\n+x\n {2}y$/) },
    ])
  })

  it('with characters that no text has gets replacements', () => {
    expect(readHtml('<p>a&#0;b&#xD800;c')).toEqual([{ heading: '', text: 'a\uFFFDb\uFFFDc' }])
  })

  it('with a heading that is never closed keeps its text', () => {
    expect(readHtml(`<h2>Open<p>${'word '.repeat(200)}`)).toEqual([
      { heading: '', text: expect.stringMatching(/^Open\n\nword word/) },
    ])
  })

  it('of elements within one another without end is refused', () => {
    expect(() => readHtml('<div>'.repeat(1_000_000))).toThrow('has more than 500 elements within one another')
  })

  it.each([
    ['small pieces', '<b>x</b>'.repeat(100_000)],
    ['spaces', `<pre>${' '.repeat(5_000_000)}x</pre>`],
    ['attributes', `<a ${'b=c '.repeat(300_000)}>x</a>`],
    ['open paragraphs', '<p>x'.repeat(100_000)],
    ['entities', '&amp'.repeat(500_000)],
  ])('of hostile %s is read in time', (_what, source) => {
    const began = performance.now()
    readHtml(source)
    expect(performance.now() - began).toBeLessThan(5000)
  })
})
