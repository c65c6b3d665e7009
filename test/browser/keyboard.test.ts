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
