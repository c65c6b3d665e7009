import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

/** Numbers an answer that counts: so many are there. */
function counted(text: string): number {
  return text.match(/\d+/g)?.length ?? 0
}

describeWith('chromium', 'the chat page', () => {
  let server: ParleyProcess
  let browser: Browser
  let anna: Visitor

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '120', PARLEY_MODELS: 'scripted/other' })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })
  beforeEach(async () => {
    anna = await Visitor.arrive(browser, server.url)
    await anna.sees('Ready')
  })
  afterEach(async () => {
    await anna.leaveContent()
  })

  it('shows an answer growing token by token, then says that it is ready', async () => {
    await anna.say('count from 1 to 80')
    await anna.reads(/\b3\b/)
    await anna.sees('Answering…')
    const early = counted(await anna.lastAnswer.innerText())
    const whole = await anna.reads(/\b80\b/)
    expect(early).toBeLessThan(80)
    expect(counted(whole)).toBe(80)
    await anna.sees('Ready')
    await anna.stop.waitFor({ state: 'hidden' })
  })

  it('shows a tool call with name, arguments and result, and the answer after it', async () => {
    await anna.say('calculate 6*7')
    const card = anna.page.getByRole('article', { name: 'Tool call' })
    await card.filter({ hasText: 'Done' }).waitFor()
    expect(await card.innerText()).toContain('calculator')
    await card.locator('summary').click()
    expect(await card.getByLabel('Arguments').innerText()).toContain('6*7')
    expect(await card.getByLabel('Result').innerText()).toContain('42')
    await anna.reads('42')
  })

  it('shows reasoning folded, apart from the answer', async () => {
    await anna.say('think about rain')
    await anna.reads('this is its answer')
    const fold = anna.page.locator('details.reasoning')
    await fold.waitFor()
    expect(await fold.getAttribute('open')).toBeNull()
    await fold.locator('summary').click()
    await fold.getByText('The message asks me to think').waitFor()
  })

  it('stops an answer, keeps what there was, and answers the next message', async () => {
    await anna.say('count from 1 to 1000')
    await anna.reads(/\b5\b/)
    await anna.stop.click()
    await anna.page.getByText('Stopped.', { exact: true }).waitFor()
    await anna.sees('Ready')
    const kept = await anna.lastAnswer.innerText()
    expect(counted(kept)).toBeGreaterThanOrEqual(5)
    await anna.say('remember the number 42')
    await anna.reads('remember the number 42')
    await anna.say('what number did I ask you to remember?')
    await anna.reads('You asked me to remember the number 42')
    expect(await anna.answers.first().innerText()).toBe(kept)
  })

  it('lists what waits for its turn, removes it when asked, and sends the rest in order', async () => {
    await anna.say('count from 1 to 100')
    await anna.sees('Answering…')
    await anna.say('remember the number 1')
    await anna.say('remember the number 2')
    const queue = anna.page.getByRole('region', { name: 'Waiting messages' })
    await queue.getByRole('listitem').nth(1).waitFor()
    await queue.getByRole('listitem').filter({ hasText: 'number 1' }).getByRole('button').click()
    await queue.getByText('number 1').waitFor({ state: 'detached' })
    await anna.reads('remember the number 2')
    expect(await anna.questionTexts.allInnerTexts()).toEqual(['count from 1 to 100', 'remember the number 2'])
  })

  it('goes on with an answer after a reload in the middle of it', async () => {
    await anna.say('count from 1 to 150')
    await anna.reads(/\b10\b/)
    await anna.page.reload()
    const whole = await anna.reads(/\b150\b/)
    expect(whole.match(/\d+/g)?.map(Number)).toEqual(Array.from({ length: 150 }, (_, index) => index + 1))
    expect(await anna.questionTexts.allInnerTexts()).toEqual(['count from 1 to 150'])
  })

  it('moves together in two tabs', async () => {
    await anna.say('remember the number 7')
    await anna.reads('number 7')
    const second = await anna.secondTab()
    await second.reads('number 7')
    await second.say('count from 1 to 500')
    await anna.reads(/\b5\b/)
    expect(await anna.questionTexts.allInnerTexts()).toEqual(['remember the number 7', 'count from 1 to 500'])
    await anna.stop.click()
    await second.page.getByText('Stopped.', { exact: true }).waitFor()
    await Promise.all([anna.sees('Ready'), second.sees('Ready')])
    expect(await second.lastAnswer.innerText()).toBe(await anna.lastAnswer.innerText())
    expect(second.complaints).toEqual([])
  })

  it('answers again, also after an error, and answers an edited message instead', async () => {
    await anna.say('fail')
    const again = anna.page.getByRole('button', { name: 'Try again' })
    await again.waitFor()
    await anna.page.locator('.end-note', { hasText: 'The model could not answer' }).waitFor()
    await again.click()
    await anna.sees('Answering…')
    await anna.sees('Ready')
    expect(await anna.questions.count()).toBe(1)
    await anna.questions.hover()
    await anna.page.getByRole('button', { name: 'Edit message' }).click()
    const editor = anna.page.getByRole('textbox', { name: 'Edit message' })
    await editor.fill('remember the number 9')
    await editor.press('Enter')
    await anna.reads('number 9')
    expect(await anna.questionTexts.allInnerTexts()).toEqual(['remember the number 9'])
    expect(await anna.answers.count()).toBe(1)
  })

  it('renames and deletes conversations, and goes back to earlier ones', async () => {
    await anna.say('remember the number 11')
    await anna.reads('number 11')
    const list = anna.page.getByRole('navigation', { name: 'Conversations' })
    await anna.page.getByRole('button', { name: 'New conversation' }).click()
    await anna.sees('Ready')
    expect(await anna.questions.count()).toBe(0)
    await anna.say('remember the number 12')
    await anna.reads('number 12')
    await list.getByRole('link').nth(1).waitFor()
    await anna.page.locator('.title-box').hover()
    await anna.page.getByRole('button', { name: 'Rename conversation' }).click()
    const title = anna.page.getByRole('textbox', { name: 'Title' })
    await title.fill('Twelve')
    await title.press('Enter')
    await list.getByRole('link', { name: 'Twelve' }).waitFor()
    // By its name: a title that the model is late with, or a list that was asked for before, puts either first.
    await list.getByRole('link').filter({ hasNotText: 'Twelve' }).click()
    await anna.reads('number 11')
    await list.getByRole('link', { name: 'Twelve' }).hover()
    await list.getByRole('button', { name: 'Rename Twelve' }).click()
    await anna.page.getByRole('textbox', { name: 'Title' }).fill('A dozen')
    await anna.page.getByRole('button', { name: 'Save' }).click()
    await list.getByRole('link', { name: 'A dozen' }).click()
    await anna.page.getByRole('heading', { level: 1, name: 'A dozen' }).waitFor()
    const address = anna.page.url()
    await list.getByRole('link', { name: 'A dozen' }).hover()
    await list.getByRole('button', { name: 'Delete A dozen' }).click()
    await anna.page.getByRole('button', { name: 'Delete', exact: true }).click()
    await list.getByRole('link', { name: 'A dozen' }).waitFor({ state: 'detached' })
    expect(anna.page.url()).not.toBe(address)
    await anna.page.goto(address)
    await anna.sees('Ready')
    expect(await anna.questions.count()).toBe(0)
  })

  it('gives a press to the conversation that it began on, though the list changes before it ends', async () => {
    await anna.say('remember the number 21')
    await anna.reads('number 21')
    await anna.sees('Ready')
    const address = anna.page.url()
    await anna.page.getByRole('button', { name: 'New conversation' }).click()
    await anna.say('remember the number 22')
    await anna.reads('number 22')
    const second = await anna.secondTab()
    await second.sees('Ready')
    await anna.page.locator(`nav a[href="${new URL(address).hash}"]`).hover()
    await anna.page.mouse.down()
    await second.page.locator('.title-box').hover()
    await second.page.getByRole('button', { name: 'Rename conversation' }).click()
    await second.page.getByRole('textbox', { name: 'Title' }).fill('Twenty-two')
    await second.page.getByRole('textbox', { name: 'Title' }).press('Enter')
    await anna.page.getByRole('link', { name: 'Twenty-two' }).waitFor()
    await anna.page.mouse.up()
    await anna.reads('number 21')
    expect(anna.page.url()).toBe(address)
  })

  it('offers the models of the App, and the choice shows in every tab', async () => {
    const second = await anna.secondTab()
    await second.sees('Ready')
    await anna.page.getByRole('combobox', { name: 'Model' }).selectOption({ label: 'other' })
    await second.page.locator('option:checked', { hasText: 'other' }).waitFor({ state: 'attached' })
    await anna.page.reload()
    await anna.sees('Ready')
    expect(await anna.page.getByRole('combobox', { name: 'Model' }).inputValue()).toBe('scripted/other')
  })

  it('shows an attack in an answer as text', async () => {
    await anna.say(
      'remember <img src=x onerror="document.title=`owned`"> and [x](javascript:document.title=1) <script>1</script>',
    )
    await anna.reads('I will remember <img src=x')
    expect(await anna.lastAnswer.locator('img, script, a').count()).toBe(0)
    expect(await anna.page.title()).not.toBe('owned')
  })

  it('keeps a draft with its conversation, and shows all its lines', async () => {
    await anna.composer.fill('half a thought\nand\nthe other half')
    const { height } = (await anna.composer.boundingBox()) ?? { height: 0 }
    await anna.page.reload()
    expect(await anna.composer.inputValue()).toBe('half a thought\nand\nthe other half')
    expect((await anna.composer.boundingBox())?.height).toBe(height)
  })

  it('says when, and leaves a reader who moves up where they are while an answer comes', async () => {
    await anna.say('show markdown')
    await anna.reads('A quotation at the end')
    await anna.sees('Ready')
    await anna.say('count from 1 to 1000')
    await anna.reads(/\b20\b/)
    const log = anna.page.getByRole('log')
    await log.hover()
    // Less than what counts as being at the end.
    await anna.page.mouse.wheel(0, -30)
    await anna.page.getByRole('button', { name: 'Latest' }).waitFor()
    const top = await log.evaluate((each) => each.scrollTop)
    await anna.reads(/\b120\b/)
    expect(await log.evaluate((each) => each.scrollTop)).toBeLessThanOrEqual(top)
    await anna.stop.click()
    await anna.page.getByText('Stopped.', { exact: true }).waitFor()
    const time = anna.page.locator('.end time').last()
    expect(Date.parse((await time.getAttribute('datetime')) ?? '')).toBeGreaterThan(0)
    expect(await time.isVisible()).toBe(true)
  })

  it('copies code also where the page may not use the clipboard, as without HTTPS', async () => {
    await anna.page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'clipboard'))
    await anna.page.reload()
    await anna.say('show markdown')
    await anna.reads('A quotation at the end')
    await anna.page.getByRole('button', { name: 'Copy code' }).click()
    const copied = anna.page.getByRole('button', { name: 'Copied' })
    await copied.waitFor()
    expect(await copied.evaluate((each) => each === document.activeElement)).toBe(true)
    await anna.composer.focus()
    await anna.page.keyboard.press('Control+V')
    expect(await anna.composer.inputValue()).toBe('export const answer = 42')
  })

  it('refuses what is too long before it is sent, and says so', async () => {
    await anna.composer.fill('x'.repeat(40_000))
    await anna.composer.press('Enter')
    await anna.page.getByRole('alert').filter({ hasText: 'too long' }).waitFor()
    expect(await anna.questions.count()).toBe(0)
  })
})
