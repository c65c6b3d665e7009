import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

const TOO_LONG = 'word '.repeat(8_000)

describeWith('chromium', 'the focus', () => {
  let server: ParleyProcess
  let browser: Browser
  let anna: Visitor

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '200' })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })
  beforeEach(async () => {
    anna = await Visitor.arrive(browser, server.url)
    anna.page.setDefaultTimeout(15_000)
    await anna.sees('Ready')
  })
  afterEach(async () => {
    await anna.leaveContent()
  })

  const focused = async (): Promise<string> =>
    await anna.page.evaluate(() => {
      const { activeElement } = document
      return activeElement?.getAttribute('aria-label') ?? activeElement?.tagName ?? ''
    })
  const becomes = async (name: string): Promise<void> => {
    await anna.page.waitForFunction((wanted) => document.activeElement?.getAttribute('aria-label') === wanted, name)
  }
  /** The transcript is where the browser takes it, which needs a moment: put elsewhere before, it would go on from there. */
  const stands = async (): Promise<void> => {
    const isStill = () => {
      const { scrollTop = 0 } = document.querySelector('[role=log]') ?? {}
      const before = document.body.dataset['top']
      document.body.dataset['top'] = String(scrollTop)
      return before === String(scrollTop)
    }
    await anna.page.waitForFunction(isStill, undefined, { polling: 200 })
  }
  const button = (name: string) => anna.page.getByRole('button', { name, exact: true })
  const remember = async (number: number): Promise<void> => {
    await anna.say(`remember the number ${number}`)
    await anna.reads(`number ${number}`)
    await anna.sees('Ready')
  }

  it.each(['mouse', 'keyboard'])('is on the field after a stop by %s', async (by) => {
    await anna.say('count from 1 to 900')
    await anna.reads(/\b5\b/)
    if (by === 'mouse') await anna.stop.click()
    else await anna.stop.press('Enter')
    await anna.page.getByText('Stopped.', { exact: true }).waitFor()
    await anna.page.keyboard.type('next')
    expect(await anna.composer.inputValue()).toBe('next')
  })

  it('goes back to where a change of a message was begun, and to the field when it is sent', async () => {
    await remember(1)
    const editor = anna.page.getByRole('textbox', { name: 'Edit message' })
    await anna.composer.press('ArrowUp')
    await editor.press('Escape')
    expect(await focused()).toBe('Message')
    await button('Edit message').press('Enter')
    await editor.press('Escape')
    expect(await focused()).toBe('Edit message')
    await anna.composer.press('ArrowUp')
    await editor.fill('remember the number 2')
    await editor.press('Enter')
    await anna.reads('number 2')
    expect(await focused()).toBe('Message')
  })

  it('stays in a change that is too long, which is not lost', async () => {
    await remember(1)
    await anna.composer.press('ArrowUp')
    const editor = anna.page.getByRole('textbox', { name: 'Edit message' })
    await editor.fill(TOO_LONG)
    await editor.press('Enter')
    await anna.page.getByRole('alert').filter({ hasText: 'too long' }).waitFor()
    expect(await editor.inputValue()).toBe(TOO_LONG)
    expect(await focused()).toBe('Edit message')
  })

  it('is on the field after "Latest"', async () => {
    await anna.say('show markdown')
    await anna.reads('A quotation at the end')
    await anna.say('count from 1 to 900')
    await anna.reads(/\b200\b/)
    await anna.page.getByRole('log').press('Home')
    await stands()
    await button('Latest').press('Enter')
    await becomes('Message')
    expect(await button('Latest').isVisible()).toBe(false)
  })

  it('goes back to what a dialog of the list was opened by; where that is gone, to what begins a conversation', async () => {
    await remember(3)
    await button('New conversation').click()
    await remember(4)
    const other = anna.page.getByRole('navigation').getByRole('link').nth(1)
    await other.focus()
    await anna.page.keyboard.press('Tab')
    await anna.page.keyboard.press('Enter')
    await anna.page.getByRole('textbox', { name: 'Title' }).waitFor()
    // In the place of the old one.
    await anna.page.keyboard.type('Three')
    await anna.page.keyboard.press('Escape')
    await expect.poll(focused).toMatch(/^Rename /)
    await anna.page.keyboard.press('Enter')
    await anna.page.keyboard.type('Three')
    await anna.page.keyboard.press('Enter')
    await becomes('Rename Three')
    await anna.page.keyboard.press('Tab')
    await anna.page.keyboard.press('Enter')
    await anna.page.getByRole('dialog').press('Escape')
    await becomes('Delete Three')
    await anna.page.keyboard.press('Enter')
    await anna.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).press('Enter')
    await anna.page.getByRole('link', { name: 'Three' }).waitFor({ state: 'detached' })
    await expect.poll(() => anna.page.evaluate(() => document.activeElement?.textContent)).toBe('New conversation')
  })

  it('leaves the title with Escape, which keeps the old one and is nobody else’s', async () => {
    await remember(5)
    await anna.page.evaluate(() => {
      addEventListener('keydown', (event) => {
        if (event.key === 'Escape') document.body.dataset['escape'] = String(event.defaultPrevented)
      })
    })
    const heading = anna.page.getByRole('heading', { level: 1 })
    await button('Rename conversation').press('Enter')
    const title = anna.page.getByRole('textbox', { name: 'Title' })
    await title.fill('Not this')
    await title.press('Escape')
    expect(await focused()).toBe('Rename conversation')
    expect(await anna.page.locator('body').getAttribute('data-escape')).toBe('true')
    await button('Rename conversation').press('Enter')
    await title.fill('But this')
    await title.press('Enter')
    await heading.filter({ hasText: 'But this' }).waitFor()
    const second = await anna.secondTab()
    await second.sees('Ready')
    expect(await second.page.getByRole('heading', { level: 1 }).innerText()).toBe('But this')
  })

  it('opens no keyboard of a phone when a conversation is chosen', async () => {
    const phone = await Visitor.arrive(browser, server.url, {
      viewport: { width: 390, height: 760 },
      hasTouch: true,
      isMobile: true,
    })
    await phone.say('remember the number 6')
    await phone.reads('number 6')
    await phone.page.getByRole('button', { name: 'Conversations' }).tap()
    await phone.page.getByRole('navigation').getByRole('button', { name: 'New conversation' }).tap()
    await phone.questions.waitFor({ state: 'detached' })
    expect(await phone.composer.evaluate((field) => field === document.activeElement)).toBe(false)
    await phone.leave()
  })

  it('is not needed twice: a double click on "Try again" asks once', async () => {
    await anna.say('fail')
    await button('Try again').dblclick()
    await anna.sees('Answering…')
    await anna.page.locator('.end-note', { hasText: 'The model could not answer' }).waitFor()
    await anna.sees('Ready')
    expect(await anna.page.locator('.fault').isVisible()).toBe(false)
  })
})
