import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { listen } from '../support/listen.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

describeWith('chromium', 'the widget of a site that knows its visitors', () => {
  let parley: ParleyProcess
  let browser: Browser
  let site: Server
  let origin = ''
  let key = ''
  let minted = 0

  /** What a site does in its one route; it knows all its visitors as Ann. */
  async function mint(body: string): Promise<Response> {
    minted++
    return fetch(`${parley.url}/v1/tickets?app=helpdesk`, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify({ ...JSON.parse(body), user: 'ann' }),
    })
  }

  beforeAll(async () => {
    parley = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '60' })
    browser = await launchChromium()
    const file = parley.path('helpdesk.json')
    const app = { id: 'helpdesk', name: 'Help desk', preamble: 'Be brief.', model: { default: 'scripted/demo' } }
    await writeFile(file, JSON.stringify(app))
    await parley.command('apps', 'put', file)
    key = await parley.command('keys', 'create', '--app', 'helpdesk')
    const page = `<!doctype html><title>Shop</title><link rel="icon" href="data:,">
      <script src="${parley.url}/widget.js" data-app="helpdesk" data-tickets="/chat-ticket" data-title="Help" async></script>`
    site = createServer((request, response) => {
      if (request.method !== 'POST') return void response.setHeader('content-type', 'text/html').end(page)
      void text(request)
        .then(mint)
        .then(async (answer) => response.writeHead(answer.status).end(await answer.text()))
    })
    origin = `http://127.0.0.1:${await listen(site)}`
  })
  afterAll(async () => {
    await browser?.close()
    site?.close()
    await parley?.dispose()
  })

  it('P-112, P-114: opens by a ticket, comes back by its token after a restart, and by another ticket on a new page', async () => {
    const anna = await Visitor.arrive(browser, origin)
    await anna.page.getByRole('button', { name: 'Open Help' }).click()
    await anna.sees('Ready')
    await anna.say('remember the number 3')
    await anna.reads('number 3')
    expect(minted).toBe(1)
    await parley.stop()
    await parley.start()
    await anna.sees('Ready')
    await anna.say('remember the number 4')
    await anna.reads('number 4')
    expect(minted).toBe(1)
    await anna.page.reload()
    await anna.page.getByRole('button', { name: 'Open Help' }).click()
    await anna.reads('number 4')
    expect(minted).toBe(2)
    await anna.leave()
  })
})
