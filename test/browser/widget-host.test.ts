import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { launcher, panel, Shop } from './shop.ts'

/** As many sites have it: a key outside of their fields is a command. */
const SHORTCUTS = `<script>
  window.heard = []
  for (const type of ['keydown', 'keypress', 'keyup', 'input', 'beforeinput', 'paste', 'copy', 'cut'])
    document.addEventListener(type, (event) => {
      if (event.target.matches('input, textarea')) return
      heard.push(type)
      if (event.key !== '/') return
      event.preventDefault()
      document.querySelector('#search').focus()
    })
</script>`

const HOSTILE = {
  'small letters': 'html { font-size: 62.5% } body { font-size: 1.6rem }',
  'a reset': '* { all: unset !important }',
  'rules for every element': `* { text-transform: uppercase; letter-spacing: .2em; word-spacing: 1em; text-align: center; line-height: 3;
    white-space: nowrap; text-indent: 2em; -webkit-text-fill-color: red; text-shadow: 1px 1px red; user-select: none; cursor: help;
    visibility: hidden; opacity: .2; --paper: red; --sans: serif }`,
  'important rules':
    'body > * { visibility: hidden !important; position: absolute !important; font-size: 3px !important }',
  'rules for the children of the body': `body > * { position: relative; transform: translateY(10px); overflow: hidden; max-width: 300px;
    margin: 0 auto; filter: blur(2px); pointer-events: none }`,
  'a filter around all': 'body { filter: grayscale(.1); height: 200px; overflow: clip }',
  'a transform around all': 'body { transform: translate(30px, 80px) scale(.9); opacity: .5 }',
  'a container around all': 'body { container-type: inline-size; contain: layout paint; will-change: transform }',
}

describeWith('chromium', 'the widget and the page around it', () => {
  let parley: ParleyProcess
  let browser: Browser
  let shop: Shop
  /** How it looks where nothing interferes. */
  let plain: unknown

  beforeAll(async () => {
    parley = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '200' })
    browser = await launchChromium()
    shop = await Shop.open(parley)
    await shop.putApp()
  })
  beforeEach(() => {
    shop.html = ''
    shop.headers = {}
  })
  afterAll(async () => {
    await browser?.close()
    shop?.close()
    await parley?.dispose()
  })

  it('keeps what is typed and pasted in it from the shortcuts of the page', async () => {
    shop.html = SHORTCUTS
    const anna = await shop.guest(browser)
    await anna.sees('Ready')
    await anna.composer.pressSequentially('and/or this')
    await anna.composer.press('Control+A')
    await anna.composer.press('Control+C')
    await anna.composer.press('Control+V')
    expect(await anna.composer.inputValue()).toBe('and/or this')
    expect(await anna.page.evaluate('heard')).toEqual([])
    await anna.page.getByRole('heading', { name: 'A shop' }).click()
    await anna.page.keyboard.press('x')
    expect(await anna.page.evaluate('heard')).toContain('keydown')
    await anna.leaveContent()
  })

  it('is closed by Escape, but not by one that something in it has taken', async () => {
    const anna = await shop.guest(browser)
    await anna.sees('Ready')
    await anna.say('remember the number 3')
    await anna.reads('number 3')
    await anna.page.getByRole('button', { name: 'Rename conversation' }).click()
    await anna.page.getByRole('textbox', { name: 'Title' }).press('Escape')
    expect(await panel(anna).isVisible()).toBe(true)
    await anna.composer.press('ArrowUp')
    const editor = anna.page.getByRole('textbox', { name: 'Edit message' })
    await editor.dispatchEvent('keydown', { key: 'Escape', isComposing: true, bubbles: true })
    expect(await panel(anna).isVisible()).toBe(true)
    await editor.press('Escape')
    expect(await panel(anna).isVisible()).toBe(true)
    await anna.composer.press('Escape')
    expect(await panel(anna).isVisible()).toBe(false)
    await anna.leaveContent()
  })

  /** Where it stands, and how all that is in it looks. */
  async function look(css: string, options: BrowserContextOptions = {}): Promise<unknown> {
    shop.html = `<style>${css}</style>`
    const anna = await shop.guest(browser, options)
    await anna.sees('Ready')
    await anna.say('show markdown')
    await anna.page.getByRole('button', { name: 'Try again' }).waitFor()
    await anna.page.mouse.move(1, 1)
    const boxes = [await launcher(anna).boundingBox(), await panel(anna).boundingBox()]
    const styles = await anna.page
      .locator('.panel, .launcher, .title, .bubble, .answer p, .composer-input')
      .evaluateAll(
        (elements, apart) =>
          elements.map((element) => {
            const styles = getComputedStyle(element)
            return [...styles]
              .filter((name) => !apart.includes(name))
              .map((name) => `${name}: ${styles.getPropertyValue(name)}`)
              .sort()
          }),
        // Change while one looks.
        ['outline-color', 'perspective-origin', 'transform-origin'],
      )
    await anna.leaveContent()
    return { boxes, styles }
  }

  it.each(Object.entries(HOSTILE))('looks as on a plain page under %s', async (_what, css) => {
    plain ??= await look('')
    expect(await look(css)).toEqual(plain)
  })

  it('can be hidden by the page', async () => {
    const anna = await shop.guest(browser)
    await anna.page.locator('parley-chat').evaluate((element) => element.toggleAttribute('hidden', true))
    expect(await launcher(anna).isVisible()).toBe(false)
    await anna.leaveContent()
  })

  it.each([
    ['with the policies that the docs name', "trusted-types 'allow-duplicates' dompurify", 'A heading'],
    ['as plain text where the policy is not allowed', 'trusted-types myapp', '## A heading'],
    ['as plain text where no policy is allowed', "trusted-types 'none'", '## A heading'],
  ])('shows answers under trusted types %s', async (_what, types, heading) => {
    const policy = `default-src 'none'; script-src ${parley.url}; connect-src ${parley.url.replace('http', 'ws')}`
    shop.headers = { 'content-security-policy': `${policy}; require-trusted-types-for 'script'; ${types}` }
    const anna = await shop.guest(browser)
    await anna.sees('Ready')
    await anna.say('show markdown')
    await anna.page.getByRole('button', { name: 'Try again' }).waitFor()
    expect((await anna.lastAnswer.innerText()).split('\n')[0]).toBe(heading)
    expect(await anna.lastAnswer.innerText()).toContain('const')
    await anna.leave()
  })

  it('says at once that the device is offline, keeps what is sent, and sends it when the network is back', async () => {
    const anna = await shop.guest(browser)
    await anna.sees('Ready')
    await anna.page.context().setOffline(true)
    await anna.banner.filter({ hasText: 'This device is offline' }).waitFor({ timeout: 2000 })
    await anna.say('remember the number 7')
    await anna.page.getByText('Waiting for the connection').waitFor()
    expect(await anna.questions.count()).toBe(1)
    await anna.page.context().setOffline(false)
    await anna.reads('number 7')
    await anna.leave()
  })

  it('connects anew when somebody comes back to a page whose device slept', async () => {
    const anna = await shop.guest(browser)
    await anna.sees('Ready')
    const slept = '{ const now = Date.now(); Date.now = () => now + 3_600_000 + performance.now() }'
    await anna.page.evaluate(slept)
    const socket = anna.page.waitForEvent('websocket', { timeout: 5000 })
    await anna.page.evaluate('dispatchEvent(new Event("focus"))')
    expect((await socket).url()).toContain('/ws?')
    await anna.say('remember the number 7')
    await anna.reads('number 7')
    await anna.leave()
  })

  it('opens on a phone without its keyboard, and hands the focus to the panel', async () => {
    const focused = 'document.querySelector("parley-chat").shadowRoot.activeElement.className'
    const phone = await shop.guest(browser, { viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true })
    await phone.sees('Ready')
    expect(await phone.page.evaluate(focused)).toBe('panel')
    await phone.page.getByRole('button', { name: 'New conversation' }).tap()
    expect(await phone.page.evaluate(focused)).toBe('panel')
    await phone.leaveContent()
    const desk = await shop.guest(browser)
    await desk.sees('Ready')
    expect(await desk.page.evaluate(focused)).toBe('composer-input')
    await desk.leaveContent()
  })

  it.each([
    ['leaves a second one out', () => shop.script(), 'this page has the widget already', 1],
    ['is not there as a module', () => shop.script(`type="module" ${shop.attributes}`), 'widget.js is not a module', 1],
    [
      'cannot connect where the page adds to every object',
      () => '<script>Object.prototype.extend = () => undefined</script>',
      'this page adds "extend" to Object.prototype',
      1,
    ],
  ])('%s, and tells the page’s author', async (_what, html, words, count) => {
    shop.html = html()
    const anna = await shop.visitor(browser)
    const warnings: string[] = []
    anna.page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()))
    await anna.page.reload()
    expect(warnings.join()).toContain(words)
    expect(await launcher(anna).count()).toBe(count)
    await anna.leaveContent()
  })
})
