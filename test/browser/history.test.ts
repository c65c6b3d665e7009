import { once } from 'node:events'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { decodeServerFrame } from '../../src/protocol/codec.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

/** With their answers, more messages than a snapshot holds. */
const QUESTIONS = 60

/** Has a talk of so many questions in a session, without a browser. */
async function talk(url: string, sessionId: string): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws?app=default`, offerProtocols(sessionId))
  let asked = 0
  const ask = (): void => {
    const command = { type: 'message.send', clientMessageId: `q${++asked}`, content: `remember the number ${asked}` }
    socket.send(JSON.stringify(command))
  }
  socket.on('message', (data: Buffer) => {
    const frame = decodeServerFrame(data.toString('utf8'))
    if (frame === undefined) return
    const isReady = 'type' in frame && frame.type === 'session.ready'
    const isRest = 'type' in frame && frame.type === 'session.status' && frame.status === 'idle'
    if (isRest && asked === QUESTIONS) socket.close()
    else if (isReady || isRest) ask()
  })
  await once(socket, 'close')
}

describeWith('chromium', 'a long conversation', () => {
  let server: ParleyProcess
  let browser: Browser

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '5000' })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })

  it('opens at its end, shows earlier messages when asked, and stays where the reader is', async () => {
    const sessionId = crypto.randomUUID()
    await talk(server.url, sessionId)
    const anna = await Visitor.arrive(browser, `${server.url}/#${sessionId}`)
    await anna.questionTexts.filter({ hasText: /number 60$/ }).waitFor()
    expect(await anna.questions.count()).toBe(50)
    const log = anna.page.getByRole('log')
    const fromEnd = (): Promise<number> =>
      log.evaluate((each) => each.scrollHeight - each.scrollTop - each.clientHeight)
    expect(await fromEnd()).toBeLessThan(2)
    await log.evaluate((each) => each.scrollTo(0, 0))
    const latest = anna.page.getByRole('button', { name: 'Latest' })
    await latest.waitFor()
    const first = anna.questionTexts.filter({ hasText: /number 11$/ })
    const before = await first.boundingBox()
    await anna.page.getByRole('button', { name: 'Show earlier messages' }).click()
    await anna.questionTexts.filter({ hasText: /number 1$/ }).waitFor()
    expect(await anna.questions.count()).toBe(60)
    expect(await anna.page.getByRole('button', { name: 'Show earlier messages' }).isVisible()).toBe(false)
    const after = await first.boundingBox()
    expect(Math.abs((after?.y ?? 0) - (before?.y ?? 0))).toBeLessThan(80)
    await latest.click()
    await latest.waitFor({ state: 'hidden' })
    expect(await fromEnd()).toBeLessThan(2)
    await anna.leaveContent()
  })

  it('leaves out of the browser’s work what is out of sight, and moves nothing for who scrolls there', async () => {
    const sessionId = crypto.randomUUID()
    await talk(server.url, sessionId)
    const anna = await Visitor.arrive(browser, `${server.url}/#${sessionId}`)
    await anna.questionTexts.filter({ hasText: /number 60$/ }).waitFor()
    const first = anna.questions.first()
    const isDrawn = (): Promise<boolean> =>
      first.evaluate((each) => each.checkVisibility({ contentVisibilityAuto: true }))
    await expect.poll(isDrawn).toBe(false)
    const log = anna.page.getByRole('log')
    const height = (): Promise<number> => log.evaluate((each) => each.scrollHeight)
    const before = await height()
    await log.evaluate((each) => each.scrollTo(0, 0))
    await expect.poll(isDrawn).toBe(true)
    expect(await height()).toBe(before)
    // Another width is another height: that is seen again before anything is left out.
    await anna.page.setViewportSize({ width: 400, height: 760 })
    await log.evaluate((each) => each.scrollTo(0, each.scrollHeight))
    await expect.poll(isDrawn).toBe(false)
    const narrow = await height()
    await log.evaluate((each) => each.scrollTo(0, 0))
    await expect.poll(isDrawn).toBe(true)
    expect(await height()).toBe(narrow)
    await anna.leaveContent()
  })
})
