import { writeFile } from 'node:fs/promises'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

describeWith('chromium', 'the page and its connection', () => {
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

  it('says that the server is gone, keeps what is written, and finds everything after the restart', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    await anna.sees('Ready')
    // Screen readers read out what changes in what was there before.
    const words = anna.banner.getByRole('status')
    expect(await words.evaluate((each) => each.checkVisibility() && each.textContent)).toBe('')
    expect(await anna.banner.isVisible()).toBe(false)
    await anna.say('remember the number 42')
    await anna.reads('number 42')
    await anna.say('count from 1 to 1000')
    await anna.reads(/\b5\b/)
    await server.stop()
    await anna.banner.filter({ hasText: 'Reconnecting by itself' }).waitFor()
    await anna.sees('Not connected')
    expect(await anna.banner.getByRole('button', { name: 'Try now' }).isVisible()).toBe(true)
    await anna.say('what number did I ask you to remember?')
    await anna.page.getByText('Waiting for the connection').waitFor()
    await anna.banner.filter({ hasText: '1 message' }).waitFor()
    await server.start()
    await anna.reads('You asked me to remember the number 42')
    await anna.banner.waitFor({ state: 'hidden' })
    await anna.page.getByText(/^(?:Stopped|Interrupted before it was finished)\.$/).waitFor()
    const questions = ['remember the number 42', 'count from 1 to 1000', 'what number did I ask you to remember?']
    expect(await anna.questionTexts.allInnerTexts()).toEqual(questions)
    const before = await anna.answers.allInnerTexts()
    await anna.page.reload()
    await anna.reads('You asked me to remember the number 42')
    expect(await anna.answers.allInnerTexts()).toEqual(before)
    await anna.leave()
  })

  it('says why a key is refused, and goes on with a good one that never shows in an address', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    await anna.sees('Ready')
    const enter = async (app: string, key: string): Promise<void> => {
      await anna.page.getByRole('button', { name: 'App and key' }).click()
      await anna.page.getByRole('textbox', { name: 'App' }).fill(app)
      await anna.page.getByRole('textbox', { name: 'Key' }).fill(key)
      await anna.page.getByRole('button', { name: 'Use' }).click()
    }
    await enter('default', 'pk_live_wrong_wrong')
    await anna.banner.filter({ hasText: 'did not accept the key' }).waitFor()
    await anna.sees('Not connected')
    const file = server.path('shop.json')
    const app = { id: 'shop', name: 'Shop', preamble: 'Be brief.', model: { default: 'scripted/demo' } }
    await writeFile(file, JSON.stringify(app))
    await server.command('apps', 'put', file)
    const { origin } = new URL(server.url)
    const key = await server.command('keys', 'create', '--app', 'shop', '--kind', 'publishable', '--origin', origin)
    await enter('shop', key)
    await anna.sees('Ready')
    await anna.banner.waitFor({ state: 'hidden' })
    await anna.say('remember the number 5')
    await anna.reads('number 5')
    expect(anna.page.url()).not.toContain('pk_live')
    await anna.page.reload()
    await anna.reads('number 5')
    await server.command('keys', 'revoke', key.split('_')[2] ?? '')
    await anna.banner.filter({ hasText: 'did not accept the key' }).waitFor()
    await anna.leave()
  })

  it('offers no changes in a conversation that was deleted, and does not promise to send what is written there', async () => {
    const anna = await Visitor.arrive(browser, server.url)
    await anna.sees('Ready')
    await anna.say('remember the number 6')
    await anna.reads('number 6')
    await anna.sees('Ready')
    const changes = anna.page.getByRole('button', { name: /Try again|Edit message|Rename conversation/ })
    expect(await changes.count()).toBe(3)
    const id = new URL(anna.page.url()).hash.slice(1)
    await anna.page.evaluate((session) => fetch(`/v1/sessions/${session}?app=default`, { method: 'DELETE' }), id)
    await anna.banner.filter({ hasText: 'is gone' }).waitFor()
    expect(await changes.count()).toBe(0)
    await anna.say('hello?')
    await anna.page.locator('.delivery').waitFor()
    expect(await anna.page.locator('.delivery').innerText()).toBe('Not sent: there is no connection')
    await anna.leave()
  })
})
