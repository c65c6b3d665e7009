import { json } from 'node:stream/consumers'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { launcher, Shop } from './shop.ts'

const BY_KEY = 'parley.widget.helpdesk'

describeWith('chromium', 'the widget in a browser that people share', () => {
  let parley: ParleyProcess
  let browser: Browser
  let shop: Shop
  let byKey = ''
  let secret = ''
  /** Who is signed in at the shop. */
  let user = ''

  async function mint(body: unknown): Promise<Response> {
    return fetch(`${parley.url}/v1/tickets?app=helpdesk`, {
      method: 'POST',
      headers: { 'x-api-key': secret, 'content-type': 'application/json' },
      body: JSON.stringify({ ...Object(body), user }),
    })
  }

  /** The page as it is sent to whom the shop takes for `who`. */
  function signIn(who: string, names: boolean): void {
    user = who
    shop.attributes = `data-app="helpdesk" data-tickets="/chat-ticket" data-title="Help"${names ? ` data-user="${who}"` : ''}`
  }

  beforeAll(async () => {
    parley = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '200' })
    browser = await launchChromium()
    shop = await Shop.open(parley)
    await shop.putApp()
    byKey = shop.attributes
    secret = await parley.command('keys', 'create', '--app', 'helpdesk')
  })
  beforeEach(() => {
    shop.onTicket = (request, response) => {
      void json(request)
        .then(mint)
        .then(async (answer) => response.writeHead(answer.status).end(await answer.text()))
    }
  })
  afterAll(async () => {
    await browser?.close()
    shop?.close()
    await parley?.dispose()
  })

  it('has a place for each user whom the page names: neither sees nor loses what is the other’s', async () => {
    signIn('ann', true)
    const visitor = await shop.guest(browser)
    await visitor.sees('Ready')
    await visitor.say('remember the number 3')
    await visitor.reads('number 3')
    await visitor.composer.fill('a draft of Ann’s')
    signIn('bob', true)
    await visitor.page.reload()
    await launcher(visitor).click()
    await visitor.sees('Ready')
    expect(await visitor.composer.inputValue()).toBe('')
    await visitor.say('remember the number 4')
    await visitor.reads('number 4')
    signIn('ann', true)
    await visitor.page.reload()
    await launcher(visitor).click()
    await visitor.reads('number 3')
    expect(await visitor.composer.inputValue()).toBe('a draft of Ann’s')
    await visitor.leaveContent()
  })

  it('goes over to another user when the page says so while it is open', async () => {
    signIn('eve', true)
    const visitor = await shop.guest(browser)
    await visitor.sees('Ready')
    await visitor.say('remember the number 5')
    await visitor.reads('number 5')
    user = 'fay'
    await visitor.page.locator('parley-chat').evaluate((element) => element.setAttribute('data-user', 'fay'))
    await visitor.answers.waitFor({ state: 'detached' })
    await visitor.sees('Ready')
    expect(await visitor.questions.count()).toBe(0)
    await visitor.leaveContent()
  })

  it('shows no draft on the next page where the site gives tickets and does not name the user', async () => {
    signIn('ann', false)
    const visitor = await shop.guest(browser)
    await visitor.sees('Ready')
    await visitor.say('remember the number 6')
    await visitor.reads('number 6')
    await visitor.composer.fill('a draft of Ann’s')
    await visitor.page.reload()
    await launcher(visitor).click()
    await visitor.reads('number 6')
    expect(await visitor.composer.inputValue()).toBe('')
    signIn('bob', false)
    await visitor.page.reload()
    await launcher(visitor).click()
    await visitor.banner.filter({ hasText: 'it is not yours' }).waitFor()
    expect(await visitor.composer.inputValue()).toBe('')
    await visitor.leaveContent()
  })

  it('asks a site where nobody is signed in once, says so, and asks again when the visitor wants it', async () => {
    signIn('ann', true)
    const give = shop.onTicket
    let asked = 0
    shop.onTicket = (_, response) => {
      asked++
      response.writeHead(401).end()
    }
    const visitor = await shop.guest(browser)
    await visitor.banner.filter({ hasText: 'You are not signed in on this site' }).waitFor()
    await visitor.sees('Not connected')
    expect(asked).toBe(1)
    shop.onTicket = give
    await visitor.banner.getByRole('button', { name: 'Try now' }).click()
    await visitor.sees('Ready')
    await visitor.leave()
  })

  it.each(['not-a-uuid', '', '00000000-0000-0000-0000-000000000000'])(
    'begins anew where its storage has %j',
    async (id) => {
      shop.attributes = byKey
      const visitor = await shop.visitor(browser)
      await visitor.page.evaluate(([name, id]) => localStorage.setItem(name ?? '', id ?? ''), [BY_KEY, id])
      await launcher(visitor).click()
      await visitor.sees('Ready')
      expect(await visitor.page.evaluate((name) => localStorage.getItem(name), BY_KEY)).toMatch(/^[\da-f-]{36}$/)
      await visitor.leaveContent()
    },
  )
})
