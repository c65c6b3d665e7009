import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

const DEMO = fileURLToPath(new URL('../../clients/widget/demo.html', import.meta.url))

/** Another site: one page at every path. */
async function site(html: () => string): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(html())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { server, origin: `http://127.0.0.1:${address.port}` }
}

describeWith('chromium', 'the widget on another site', () => {
  let server: ParleyProcess
  let browser: Browser
  let page = ''
  const sites: Server[] = []
  let allowed = ''
  let other = ''

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '60' })
    browser = await launchChromium()
    const file = server.path('helpdesk.json')
    const app = { id: 'helpdesk', name: 'Help desk', preamble: 'Be brief.', model: { default: 'scripted/demo' } }
    await writeFile(file, JSON.stringify(app))
    await server.command('apps', 'put', file)
    for (const each of [await site(() => page), await site(() => page)]) {
      sites.push(each.server)
      other = allowed
      allowed = each.origin
    }
    const key = await server.command(
      'keys',
      'create',
      '--app',
      'helpdesk',
      '--kind',
      'publishable',
      '--origin',
      allowed,
    )
    page = (await readFile(DEMO, 'utf8'))
      .replace('http://127.0.0.1:8080', server.url)
      .replace('data-app="default"', 'data-app="helpdesk"')
      .replace('pk_live_…', key)
  })
  afterAll(async () => {
    await browser?.close()
    for (const each of sites) each.close()
    await server?.dispose()
  })

  it('opens, answers, and has the conversation again after a reload', async () => {
    const anna = await Visitor.arrive(browser, allowed)
    await anna.page.getByRole('button', { name: 'Open Help' }).click()
    await anna.sees('Ready')
    await anna.say('remember the number 3')
    await anna.reads('number 3')
    await anna.page.reload()
    await anna.page.getByRole('button', { name: 'Open Help' }).click()
    await anna.reads('number 3')
    await anna.page.getByRole('button', { name: 'New conversation' }).click()
    await anna.answers.waitFor({ state: 'detached' })
    expect(await anna.questions.count()).toBe(0)
    await anna.composer.press('Escape')
    await anna.page.getByRole('button', { name: 'Open Help' }).waitFor()
    await anna.leaveContent()
  })

  it('keeps a draft over a reload, and goes on when the page moves it elsewhere while it is open', async () => {
    const anna = await Visitor.arrive(browser, allowed)
    const open = anna.page.getByRole('button', { name: 'Open Help' })
    await open.click()
    await anna.sees('Ready')
    await anna.say('remember the number 8')
    await anna.reads('number 8')
    await anna.composer.fill('half a thought')
    await anna.page.reload()
    await open.click()
    expect(await anna.composer.inputValue()).toBe('half a thought')
    await anna.page.evaluate(() => {
      const place = document.createElement('div')
      const widget = document.querySelector('parley-chat')
      document.body.append(place)
      if (widget) place.append(widget)
    })
    await anna.reads('number 8')
    await anna.sees('Ready')
    await anna.leaveContent()
  })

  it('keeps its own looks under a page with other ideas', async () => {
    const anna = await Visitor.arrive(browser, allowed)
    const launcher = anna.page.getByRole('button', { name: 'Open Help' })
    const styles = await launcher.evaluate((element) => {
      const { backgroundColor, borderTopLeftRadius } = getComputedStyle(element)
      return { backgroundColor, borderTopLeftRadius }
    })
    expect(styles.backgroundColor).not.toBe('rgb(255, 105, 180)')
    expect(styles.borderTopLeftRadius).toBe('50%')
    await anna.leave()
  })

  it('says why it may not be used from a site that the key does not name', async () => {
    const anna = await Visitor.arrive(browser, other)
    await anna.page.getByRole('button', { name: 'Open Help' }).click()
    await anna.banner.filter({ hasText: 'not among those that may use this key' }).waitFor()
    expect(await anna.banner.getByRole('button').allInnerTexts()).toEqual(['Try now'])
    await anna.leave()
  })

  it.each([
    ['that covers the page', 320, true],
    ['beside the page', 1100, false],
  ])('keeps the focus of a keyboard in a panel %s', async (_name, width, stays) => {
    const anna = await Visitor.arrive(browser, allowed, { viewport: { width, height: 640 } })
    await anna.page.getByRole('button', { name: 'Open Help' }).press('Enter')
    await anna.sees('Ready')
    const panel = anna.page.getByRole('dialog')
    expect(await panel.getAttribute('aria-modal')).toBe(String(stays))
    for (const key of ['Tab', 'Shift+Tab']) {
      const places = new Set<string | undefined>()
      for (let press = 0; press < 20; press++) {
        await anna.page.keyboard.press(key)
        places.add(await anna.page.evaluate(() => document.activeElement?.tagName))
      }
      expect([...places].every((place) => place === 'PARLEY-CHAT')).toBe(stays)
    }
    await anna.composer.press('Escape')
    expect(await anna.page.getByRole('button', { name: 'Open Help' }).evaluate((each) => each.matches(':focus'))).toBe(
      true,
    )
    await anna.leaveContent()
  })
})
