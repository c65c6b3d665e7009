import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { panel, Shop } from './shop.ts'

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

describeWith('chromium', 'the widget and the page around it', () => {
  let parley: ParleyProcess
  let browser: Browser
  let shop: Shop

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
})
