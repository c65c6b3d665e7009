import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ATTACKS } from '../clients/attacks.ts'
import { launchChromium } from '../support/chromium.ts'
import { describeWith } from '../support/services.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** What the page loads to be attacked, with the purifier in its place. */
const HARNESS = `
  import { renderMarkdown } from './clients/ui/markdown.ts'
  import { MarkdownView } from './clients/ui/markdown-view.ts'
  import { findDangers } from './test/clients/attacks.ts'
  globalThis.attack = (text) => {
    const element = document.createElement('div')
    element.append(renderMarkdown(text))
    document.body.replaceChildren(element)
    return findDangers(element)
  }
  const view = new MarkdownView()
  globalThis.show = (text, done) => {
    if (!view.element.isConnected) document.body.replaceChildren(view.element)
    view.set(text, done)
  }
  globalThis.alert = () => { globalThis.wasRun = true }
`

async function open(browser: Browser, onRequest: (url: string) => void = () => undefined): Promise<Page> {
  const stdin = { contents: HARNESS, resolveDir: ROOT, loader: 'ts' as const }
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'iife', target: 'es2022' })
  const page = await browser.newPage()
  page.on('request', (request) => onRequest(request.url()))
  await page.addStyleTag({ content: 'pre { overflow-x: auto }' })
  await page.addScriptTag({ content: outputFiles[0]?.text ?? '' })
  return page
}

/** As an answer that is so far, or that is complete. */
async function show(page: Page, text: string, done = false): Promise<void> {
  await page.evaluate(([text, done]) => Reflect.get(globalThis, 'show')(text, done), [text, done] as const)
}

describeWith('chromium', 'Markdown of a model, in a browser,', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
  })

  it('is inert, runs nothing and loads nothing', async () => {
    const requests: string[] = []
    const page = await open(browser, (url) => requests.push(url))
    const found = await page.evaluate((attacks) => {
      const attack: (text: string) => string[] = Reflect.get(globalThis, 'attack')
      return attacks.flatMap((text) => [...attack(text), ...attack(`text before ${text} and after`)])
    }, ATTACKS)
    expect(found).toEqual([])
    await page.waitForLoadState('networkidle')
    expect(requests).toEqual([])
    expect(await page.evaluate(() => Reflect.get(globalThis, 'wasRun'))).toBeUndefined()
  })

  it('frames code in lists and quotes as it does elsewhere: its lines, its language, and what copies it', async () => {
    const page = await open(browser)
    await show(
      page,
      '1. Install:\n\n   ```bash\n   npm ci\n   npm start\n   ```\n\n> ```py\n> a = 1\n>   b = "<b>"\n> ```',
      true,
    )
    const frames = page.locator(':is(li, blockquote) > .code')
    expect(await frames.locator('pre > code').allTextContents()).toEqual(['npm ci\nnpm start', 'a = 1\n  b = "<b>"'])
    expect(await frames.locator('.code-language').allTextContents()).toEqual(['bash', 'py'])
    expect(await frames.getByRole('button', { name: 'Copy code' }).count()).toBe(2)
    await page.close()
  })

  it.each([
    ['alone', ''],
    ['in a list', '   '],
  ])('lets code be scrolled, selected, focused and copied while it is written: %s', async (_where, indent) => {
    const page = await open(browser)
    const line = `${indent}const value = ${'argument, '.repeat(60)}end`
    const before = indent === '' ? 'Code:\n\n' : '1. Code:\n\n'
    const text = `${before}${indent}\`\`\`js\n${line}\n`
    await show(page, text)
    const pre = page.locator('.code pre')
    await pre.evaluate((each) => {
      each.scrollLeft = 300
      const code = each.querySelector('code')?.firstChild
      if (code) getSelection()?.setBaseAndExtent(code, 10, code, 60)
    })
    const copy = page.locator('.code button')
    await copy.hover()
    await page.mouse.down()
    await show(page, `${text}${line}\n${indent}\``)
    await page.mouse.up()
    await page.waitForFunction(() => document.querySelector('.code button')?.getAttribute('aria-label') !== 'Copy code')
    await show(page, `${text}${line}\n${indent}\`\`\`\n\nThe end`, true)
    expect(await pre.evaluate((each) => each.scrollLeft)).toBe(300)
    expect(await copy.evaluate((each) => each === document.activeElement)).toBe(true)
    expect(await page.locator('.code code').textContent()).toBe(`${line.trim()}\n${line.trim()}`)
    await page.close()
  })

  it('runs each block from where its text begins, and code from the left', async () => {
    const page = await open(browser)
    const blocks = [
      '## עברית',
      'مرحبا بك في Parley! `a = 1`',
      '1. البند',
      '> اقتباس',
      '| اسم |\n|---|\n| واحد |',
      'Plain',
      '```\nاسم\n```',
    ]
    await show(page, blocks.join('\n\n'), true)
    const directions = await page
      .locator('h4, p, li, td, code')
      .evaluateAll((all) => all.map((each) => `${each.tagName} ${getComputedStyle(each).direction}`))
    expect(directions).toEqual(['H4 rtl', 'P rtl', 'CODE ltr', 'LI rtl', 'P rtl', 'TD rtl', 'P ltr', 'CODE ltr'])
    await page.close()
  })

  it('keeps a selection in code to its end', async () => {
    const page = await open(browser)
    await show(page, '```js\nconst a = 1\n')
    await page.locator('code').evaluate((code) => {
      if (code.firstChild) getSelection()?.setBaseAndExtent(code.firstChild, 6, code.firstChild, 11)
    })
    for (const end of ['let', 'let b\n``', 'let b\n```', 'let b\n```\n\nend'])
      await show(page, `\`\`\`js\nconst a = 1\n${end}`, end.endsWith('end'))
    expect(await page.evaluate(() => String(getSelection()))).toBe('a = 1')
    await page.close()
  })
})
