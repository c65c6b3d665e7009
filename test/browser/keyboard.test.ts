import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

describeWith('chromium', 'the page without a mouse', () => {
  let server: ParleyProcess
  let browser: Browser

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '100' })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })

  it('can be written to, stopped, retried and left for another conversation', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    const { keyboard } = anna.page
    const focused = (): Promise<string> =>
      anna.page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      )
    await anna.sees('Ready')
    expect(await focused()).toBe('Message')
    await keyboard.type('count from 1')
    await keyboard.press('Shift+Enter')
    await keyboard.type('to 500')
    expect(await anna.composer.inputValue()).toBe('count from 1\nto 500')
    await anna.composer.fill('count from 1 to 500')
    await keyboard.press('Enter')
    await anna.reads(/\b5\b/)
    await keyboard.press('Escape')
    await anna.page.getByText('Stopped.', { exact: true }).waitFor()
    expect(await focused()).toBe('Message')
    await keyboard.press('Shift+Tab')
    expect(await focused()).toBe('Try again')
    await keyboard.press('Enter')
    await anna.sees('Answering…')
    // What was stopped may have got as far as the next line reads.
    await anna.page.getByText('Stopped.', { exact: true }).waitFor({ state: 'detached' })
    await anna.reads(/\b7\b/)
    await anna.composer.focus()
    await keyboard.press('Escape')
    await anna.sees('Ready')
    const addressBefore = anna.page.url()
    await anna.page.getByRole('button', { name: 'New conversation' }).focus()
    await keyboard.press('Enter')
    expect(anna.page.url()).not.toBe(addressBefore)
    expect(await focused()).toBe('Message')
    await anna.page.goBack()
    expect(anna.page.url()).toBe(addressBefore)
    await anna.reads(/\b7\b/)
    await anna.leave()
  })

  it('keeps the focus when what had it goes away', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    const { keyboard } = anna.page
    const focused = (): Promise<string> =>
      anna.page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.tagName ?? '',
      )
    await anna.sees('Ready')
    await anna.say('remember the number 5')
    await anna.reads('number 5')
    await anna.sees('Ready')
    await anna.page.getByRole('button', { name: 'Try again' }).focus()
    await keyboard.press('Enter')
    await anna.page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'log')
    await anna.sees('Ready')
    await anna.say('count from 1 to 400')
    await anna.sees('Answering…')
    await anna.say('one more')
    await anna.page.getByRole('button', { name: 'Remove from the queue' }).focus()
    await keyboard.press('Enter')
    await anna.page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'log')
    await anna.page.getByRole('navigation').getByRole('link').first().focus()
    await keyboard.press('Tab')
    expect(await focused()).toMatch(/^Rename/)
    const second = await anna.secondTab()
    await second.sees('Answering…')
    await second.page.locator('.title-box').hover()
    await second.page.getByRole('button', { name: 'Rename conversation' }).click()
    await second.page.getByRole('textbox', { name: 'Title' }).fill('Numbers')
    await second.page.getByRole('textbox', { name: 'Title' }).press('Enter')
    await anna.page.getByRole('button', { name: 'Rename Numbers' }).waitFor({ state: 'attached' })
    expect(await focused()).toBe('Rename Numbers')
    await anna.leaveContent()
  })

  it('changes the last message by the arrow upwards, and begins a conversation by its keys', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    const { keyboard } = anna.page
    await anna.sees('Ready')
    await anna.composer.press('ArrowUp')
    expect(await anna.page.getByRole('textbox', { name: 'Edit message' }).count()).toBe(0)
    await anna.say('remember the number 1')
    await anna.reads('number 1')
    await anna.sees('Ready')
    await anna.composer.fill('half a thought')
    await keyboard.press('ArrowUp')
    expect(await anna.page.getByRole('textbox', { name: 'Edit message' }).count()).toBe(0)
    await anna.composer.fill('')
    await keyboard.press('ArrowUp')
    const editor = anna.page.getByRole('textbox', { name: 'Edit message' })
    expect(await editor.inputValue()).toBe('remember the number 1')
    await keyboard.press('Escape')
    expect(await editor.count()).toBe(0)
    const addressBefore = anna.page.url()
    await keyboard.press('Control+Shift+O')
    expect(anna.page.url()).not.toBe(addressBefore)
    await anna.sees('Ready')
    expect(await anna.questions.count()).toBe(0)
    await anna.leaveContent()
  })

  it('hides from screen readers what is for eyes only', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    await anna.sees('Ready')
    await anna.say('stall')
    await anna.page.locator('.working[aria-hidden="true"]').waitFor()
    expect(await anna.page.locator('[aria-hidden=""], [aria-atomic=""]').count()).toBe(0)
    await anna.leave()
  })

  it('has landmarks and names for all that can be pressed, and reads out answers, not tokens', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    await anna.sees('Ready')
    for (const role of ['main', 'navigation', 'log', 'heading'] as const)
      expect(await anna.page.getByRole(role).first().isVisible()).toBe(true)
    expect(await anna.page.getByRole('log').getAttribute('aria-live')).toBe('off')
    await anna.page.evaluate(() => {
      const spoken: string[] = []
      Object.assign(globalThis, { spoken })
      const live = document.querySelector('.visually-hidden[aria-live]')
      if (live) new MutationObserver(() => spoken.push(live.textContent)).observe(live, { childList: true })
    })
    await anna.say('count from 1 to 12')
    await anna.reads(/\b12\b/)
    await anna.sees('Ready')
    const spoken = await anna.page.evaluate(() => Reflect.get(globalThis, 'spoken'))
    expect(spoken).toEqual([expect.stringMatching(/^Assistant: 1\b.*\b12\b/s)])
    await anna.say('show markdown')
    await anna.reads('A quotation at the end')
    await anna.sees('Ready')
    const [, marked] = await anna.page.evaluate((): string[] => Reflect.get(globalThis, 'spoken'))
    expect(marked).toMatch(/^Assistant: A heading Some bold and italic text/)
    expect(marked).not.toMatch(/[#*|`]/)
    await anna.say('fail')
    const last = () => anna.page.evaluate((): string | undefined => Reflect.get(globalThis, 'spoken').at(-1))
    await expect.poll(last).toMatch(/^The answer failed\. The model could not answer/)
    const nameless = await anna.page
      .locator('button, a, input, select, textarea')
      .evaluateAll((elements) =>
        elements
          .filter((each) => !(each.getAttribute('aria-label') ?? each.textContent)?.trim())
          .map((each) => each.outerHTML),
      )
    expect(nameless).toEqual([])
    await anna.leave()
  })
})
