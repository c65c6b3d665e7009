import { writeFile } from 'node:fs/promises'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

const APP = {
  id: 'default',
  name: 'Asks first',
  preamble: 'Be brief.',
  model: { default: 'scripted/demo' },
  tools: [{ type: 'builtin', name: 'calculator', approval: 'ask' }],
}

const call = ({ page }: Visitor) => page.getByRole('article', { name: 'Tool call' }).last()
const button = ({ page }: Visitor, name: string) => page.getByRole('button', { name, exact: true })

describeWith('chromium', 'a call that asks first', () => {
  let server: ParleyProcess
  let browser: Browser
  let anna: Visitor

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '200' })
    browser = await launchChromium()
    const file = server.path('asks.json')
    await writeFile(file, JSON.stringify(APP))
    await server.command('apps', 'put', file)
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })
  beforeEach(async () => {
    anna = await Visitor.arrive(browser, server.url)
    await anna.sees('Ready')
    await anna.say('calculate 6*7')
    await button(anna, 'Allow').waitFor()
  })
  afterEach(async () => {
    await anna.leaveContent()
  })

  it('shows what it would do, also after a reload and in a second tab, and is made once it is allowed', async () => {
    expect(await call(anna).innerText()).toContain('6*7')
    await anna.page.reload()
    await button(anna, 'Allow').waitFor()
    const second = await anna.secondTab()
    await button(second, 'Allow').waitFor()
    await button(anna, 'Allow').click()
    await anna.reads('42')
    await second.reads('42')
    expect(await button(second, 'Allow').count()).toBe(0)
    expect(await call(second).innerText()).toContain('Done')
    await anna.page.reload()
    await anna.reads('42')
    expect(await call(anna).innerText()).toContain('Done')
  })

  it('is not made when it is declined, and the conversation goes on', async () => {
    await button(anna, 'Decline').click()
    await call(anna).filter({ hasText: 'The person declined this call' }).waitFor()
    await anna.sees('Ready')
    await anna.say('hello')
    await anna.lastAnswer.waitFor()
    expect(await button(anna, 'Allow').count()).toBe(0)
  })

  it('is declined by who writes on', async () => {
    await anna.say('hello')
    await call(anna).filter({ hasText: 'Declined by a new message' }).waitFor()
    expect(await button(anna, 'Allow').count()).toBe(0)
  })

  it('can be answered by keyboard alone, and its question is read out', async () => {
    await anna.page
      .locator('[aria-live=polite]')
      .filter({ hasText: 'Allow calculator to be called?' })
      .waitFor({ state: 'attached' })
    await button(anna, 'Allow').focus()
    await anna.page.keyboard.press('Enter')
    expect(await anna.reads('42')).toContain('42')
  })
})
