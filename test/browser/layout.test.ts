import { writeFile } from 'node:fs/promises'
import type { Browser, BrowserContextOptions, Locator } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

const LONG_NAME = 'read_the_current_wallet_balance_of_the_visitor_on_this_page_ok'
const APP = {
  id: 'default',
  name: 'Long names',
  preamble: 'Be brief.',
  model: { default: 'scripted/demo' },
  tools: [{ type: 'client', name: LONG_NAME, description: 'x', parameters: { type: 'object', properties: {} } }],
}
const LOW: BrowserContextOptions = { viewport: { width: 320, height: 256 } }
/** Pixels: two lines of an answer and what is around them. */
const LEAST_TRANSCRIPT = 72

describeWith('chromium', 'the places of things on the page', () => {
  let server: ParleyProcess
  let browser: Browser

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '300' })
    browser = await launchChromium()
    const file = server.path('names.json')
    await writeFile(file, JSON.stringify(APP))
    await server.command('apps', 'put', file)
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })

  async function arrive(options: BrowserContextOptions = {}): Promise<Visitor> {
    const anna = await Visitor.arrive(browser, server.url, options)
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

  it.each([320, 1100])(
    'keep the name of a tool within its card, and its state in sight, on %i pixels',
    async (width) => {
      const anna = await arrive({ viewport: { width, height: 640 } })
      await anna.say(`use ${LONG_NAME} {"a":"${'0123456789'.repeat(5)}"}`)
      const card = anna.page.getByRole('article', { name: 'Tool call' })
      await card.getByText('Waits for', { exact: false }).first().waitFor()
      const sideways = await log(anna).evaluate((each) => each.scrollWidth - each.clientWidth)
      expect(sideways).toBeLessThanOrEqual(0)
      const right = await card.evaluate((each) => each.getBoundingClientRect().right)
      const { x, width: wide } = (await card.locator('.tool-state').boundingBox()) ?? { x: 0, width: 0 }
      expect(wide).toBeGreaterThan(20)
      expect(x + wide).toBeLessThan(right)
      await card.locator('summary').click()
      expect(await card.locator('.tool-name').evaluate((each) => each.scrollWidth - each.clientWidth)).toBeGreaterThan(
        0,
      )
      await anna.leave()
    },
  )

  it('run from the right for who writes from there, but code from the left', async () => {
    const anna = await arrive()
    const directions = (parts: Locator): Promise<string[]> =>
      parts.evaluateAll((all) => all.map((each) => getComputedStyle(each).direction))
    await anna.say('مرحبا! كيف حالك اليوم؟')
    await anna.composer.fill('مرحبا! سؤال؟')
    expect(await directions(anna.questionTexts)).toEqual(['rtl'])
    expect(await directions(anna.composer)).toEqual(['rtl'])
    await anna.composer.fill('')
    await showAll(anna)
    expect(await directions(anna.questionTexts.last())).toEqual(['ltr'])
    for (const parts of [anna.page.locator('.code pre'), anna.page.locator('.markdown code')])
      expect(new Set(await directions(parts))).toEqual(new Set(['ltr']))
    expect(await anna.page.locator('.code pre').first().getAttribute('dir')).toBe('ltr')
    await anna.leaveContent()
  })

  it('print all of a conversation, and nothing that can only be pressed', async () => {
    const anna = await arrive()
    for (let turn = 0; turn < 6; turn++) await showAll(anna)
    const pdf = await anna.page.pdf({ format: 'A4' })
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0
    expect(pages).toBeGreaterThan(2)
    await anna.page.emulateMedia({ media: 'print' })
    const pressed = await anna.page
      .locator('button, textarea, select, nav')
      .evaluateAll((all) => all.filter((each) => each.checkVisibility()).map((each) => each.outerHTML))
    expect(pressed).toEqual([])
    expect(await anna.questionTexts.first().isVisible()).toBe(true)
    expect(await log(anna).evaluate((each) => each.clientWidth)).toBeGreaterThan(1000)
    await anna.leaveContent()
  })

  it('leave room for the answer on a low screen while messages wait', async () => {
    const anna = await arrive(LOW)
    await anna.say('count from 1 to 2000')
    await anna.sees('Answering…')
    await anna.say('one more')
    await anna.say('and one more')
    await anna.page.getByRole('button', { name: 'Remove from the queue' }).nth(1).waitFor()
    expect(await log(anna).evaluate((each) => each.clientHeight)).toBeGreaterThan(LEAST_TRANSCRIPT)
    await anna.page.getByRole('button', { name: 'Remove from the queue' }).nth(1).click()
    expect(await anna.composer.isVisible()).toBe(true)
    await anna.leaveContent()
  })

  it('have an edge around own messages where the system chooses the colours', async () => {
    const anna = await arrive({ forcedColors: 'active' })
    await anna.say('hello')
    const edge = await anna.questionTexts.first().evaluate((each) => getComputedStyle(each).borderTopWidth)
    expect(Number.parseFloat(edge)).toBeGreaterThan(0)
    await anna.leaveContent()
  })

  it('show that an answer is on its way, where one writes, and what stops it where the system chooses the colours', async () => {
    const anna = await arrive({ forcedColors: 'active' })
    const style = (part: Locator, name: string): Promise<string> =>
      part.first().evaluate((each, which) => getComputedStyle(each).getPropertyValue(which), name)
    await anna.say('stall')
    const dot = anna.page.locator('.working i')
    await dot.first().waitFor()
    const paper = await style(anna.page.locator('body'), 'background-color')
    expect(await style(dot, 'background-color')).not.toBe(paper)
    expect(Number.parseFloat(await style(anna.stop, 'border-top-width'))).toBeGreaterThan(0)
    await anna.composer.press('ArrowUp')
    await anna.page.getByRole('textbox', { name: 'Edit message' }).waitFor()
    expect(await style(anna.page.locator('.editor'), 'outline-style')).toBe('solid')
    await anna.leaveContent()
  })
})
