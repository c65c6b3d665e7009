import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { listen } from '../support/listen.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

const tool = (name: string): object => ({
  type: 'client',
  name,
  description: 'Where the visitor is',
  parameters: { type: 'object', properties: {} },
})
const APP = {
  id: 'default',
  name: 'Two tools of pages',
  preamble: 'Be brief.',
  model: { default: 'scripted/demo' },
  tools: [tool('locate'), tool('measure')],
}

describeWith('chromium', 'a call that a page makes', () => {
  let server: ParleyProcess
  let browser: Browser
  let site: Server
  let origin = ''

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '200', PARLEY_ORIGINS: '*' })
    browser = await launchChromium()
    const file = server.path('tools.json')
    await writeFile(file, JSON.stringify(APP))
    await server.command('apps', 'put', file)
    const page = `<!doctype html><title>Shop</title><link rel="icon" href="data:,"><script src="${server.url}/widget.js"></script>
      <script>document.addEventListener('DOMContentLoaded', () => {
        document.querySelector('parley-chat').tools = { locate: () => new Promise((resolve) => { globalThis.locate = resolve }) }
      })</script>`
    site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page))
    origin = `http://127.0.0.1:${await listen(site)}`
  })
  afterAll(async () => {
    await browser?.close()
    site?.close()
    await server?.dispose()
  })

  it('is running where the page has the tool, and waits where it does not', async () => {
    const anna = await Visitor.arrive(browser, origin)
    anna.page.setDefaultTimeout(15_000)
    await anna.page.getByRole('button', { name: 'Open Chat' }).click()
    await anna.sees('Ready')
    const card = anna.page.getByRole('article', { name: 'Tool call' }).last()
    const decline = anna.page.getByRole('button', { name: 'Decline' })
    await anna.say('use locate {}')
    await anna.page.waitForFunction(() => Reflect.has(globalThis, 'locate'))
    await card.filter({ hasText: 'Running…' }).waitFor()
    expect(await decline.count()).toBe(0)
    await anna.page.evaluate(() => Reflect.get(globalThis, 'locate')('Bern'))
    await card.filter({ hasText: 'Done' }).waitFor()
    await anna.sees('Ready')
    await anna.say('use measure {}')
    await card.filter({ hasText: 'Waits for a page' }).waitFor()
    await decline.click()
    await card.filter({ hasText: 'Failed' }).waitFor()
    await anna.leaveContent()
  })
})
