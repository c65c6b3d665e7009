import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ATTACKS } from '../clients/attacks.ts'
import { launchChromium } from '../support/chromium.ts'
import { describeWith } from '../support/services.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** What the page loads to be attacked, with the purifier in its place. */
const HARNESS = `
  import { renderMarkdown } from './clients/ui/markdown.ts'
  import { findDangers } from './test/clients/attacks.ts'
  globalThis.attack = (text) => {
    const element = document.createElement('div')
    element.append(renderMarkdown(text))
    document.body.replaceChildren(element)
    return findDangers(element)
  }
  globalThis.alert = () => { globalThis.wasRun = true }
`

describeWith('chromium', 'Markdown of a model, in a browser,', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
  })

  it('is inert, runs nothing and loads nothing', async () => {
    const stdin = { contents: HARNESS, resolveDir: ROOT, loader: 'ts' as const }
    const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'iife', target: 'es2022' })
    const page = await browser.newPage()
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await page.addScriptTag({ content: outputFiles[0]?.text ?? '' })
    const found = await page.evaluate((attacks) => {
      const attack: (text: string) => string[] = Reflect.get(globalThis, 'attack')
      return attacks.flatMap((text) => [...attack(text), ...attack(`text before ${text} and after`)])
    }, ATTACKS)
    expect(found).toEqual([])
    await page.waitForLoadState('networkidle')
    expect(requests).toEqual([])
    expect(await page.evaluate(() => Reflect.get(globalThis, 'wasRun'))).toBeUndefined()
  })
})
