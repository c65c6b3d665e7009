import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

describeWith('chromium', 'the field where messages are written', () => {
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

  it('does not stop with the second click on Send what the first has sent', async () => {
    await anna.composer.fill('count from 1 to 900')
    await anna.page.getByRole('button', { name: 'Send' }).click()
    await anna.stop.click()
    expect(await anna.composer.evaluate((field) => field === document.activeElement)).toBe(true)
    await anna.reads(/\b25\b/)
    await anna.stop.click()
    await anna.page.getByText('Stopped.', { exact: true }).waitFor()
  })

  it('keeps the focus when the second click of a double click finds Send at rest', async () => {
    // As with a server that is far away.
    await anna.page.context().setOffline(true)
    await anna.banner.filter({ hasText: 'offline' }).waitFor()
    await anna.composer.fill('count from 1 to 900')
    await anna.page.getByRole('button', { name: 'Send' }).dblclick()
    await anna.page.keyboard.type('and on')
    expect(await anna.composer.inputValue()).toBe('and on')
    // That it is offline.
    anna.complaints.length = 0
  })

  it('gets what was being written in a change of a message that another tab replaces', async () => {
    await anna.say('remember the number 5')
    await anna.reads('number 5')
    await anna.sees('Ready')
    const second = await anna.secondTab()
    await second.reads('number 5')
    await anna.composer.press('ArrowUp')
    await anna.page.keyboard.type(' and all that I thought of')
    await second.page.getByRole('button', { name: 'Try again' }).click()
    await anna.page.getByRole('alert').filter({ hasText: 'was replaced' }).waitFor()
    expect(await anna.composer.inputValue()).toBe('remember the number 5 and all that I thought of')
    expect(await anna.composer.evaluate((field) => field === document.activeElement)).toBe(true)
    await anna.page.reload()
    await anna.sees('Ready')
    expect(await anna.composer.inputValue()).toBe('remember the number 5 and all that I thought of')
    expect(second.complaints).toEqual([])
  })
})
