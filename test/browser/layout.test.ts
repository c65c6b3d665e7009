import type { Browser, Locator } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

describeWith('chromium', 'the places of things on the page', () => {
  let server: ParleyProcess
  let browser: Browser

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '300' })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })

  async function arrive(): Promise<Visitor> {
    const anna = await Visitor.arrive(browser, server.url)
    anna.page.setDefaultTimeout(20_000)
    await anna.sees('Ready')
    return anna
  }
  const log = ({ page }: Visitor): Locator => page.getByRole('log')
  const gap = async (anna: Visitor): Promise<number> =>
    await log(anna).evaluate((each) => each.scrollHeight - each.scrollTop - each.clientHeight)
  async function showAll(anna: Visitor): Promise<void> {
    await anna.say('show markdown')
    await anna.reads('A quotation at the end')
    await anna.sees('Ready')
  }

  it('follow the end while lines are written below an answer that comes, and in a window that gets lower', async () => {
    const anna = await arrive()
    await showAll(anna)
    await showAll(anna)
    await anna.say('count from 1 to 2000')
    await anna.reads(/\b20\b/)
    await anna.composer.focus()
    for (let line = 0; line < 4; line++) {
      await anna.page.keyboard.type('more', { delay: 30 })
      await anna.page.keyboard.press('Shift+Enter')
    }
    await anna.page.keyboard.insertText('a\nb\nc')
    await anna.reads(/\b150\b/)
    expect(await anna.page.getByRole('button', { name: 'Latest' }).isVisible()).toBe(false)
    await anna.stop.click()
    await anna.page.getByText('Stopped.', { exact: true }).waitFor()
    await anna.composer.fill('a\nb\nc\nd\ne\nf\ng\nh\ni\nj')
    await expect.poll(() => gap(anna)).toBeLessThan(2)
    await anna.page.setViewportSize({ width: 1100, height: 460 })
    await expect.poll(() => gap(anna)).toBeLessThan(2)
    await anna.leaveContent()
  })
})
