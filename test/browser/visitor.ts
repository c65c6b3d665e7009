import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'

/** A person in front of one tab: does what a person does, and notes all that the browser complains about. */
export class Visitor {
  readonly page: Page
  /** Errors of scripts, console errors, and violations of the content security policy. */
  readonly complaints: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text())
    })
    page.on('pageerror', (error) => this.complaints.push(String(error)))
  }

  static async arrive(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1100, height: 760 }, ...options })
    return await Visitor.inTab(await context.newPage(), url)
  }

  private static async inTab(page: Page, url: string): Promise<Visitor> {
    const visitor = new Visitor(page)
    await page.goto(url)
    return visitor
  }

  /** Another tab of the same browser on the same address. */
  async secondTab(): Promise<Visitor> {
    return await Visitor.inTab(await this.page.context().newPage(), this.page.url())
  }

  async leave(): Promise<void> {
    await this.page.context().close()
  }

  /** Leaves; throws when the browser had anything to complain about. */
  async leaveContent(): Promise<void> {
    await this.leave()
    if (this.complaints.length > 0) throw new Error(`The browser complained: ${this.complaints.join('; ')}`)
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text)
    await this.composer.press('Enter')
  }

  get composer(): Locator {
    return this.page.getByRole('textbox', { name: 'Message', exact: true })
  }
  get answers(): Locator {
    return this.page.getByRole('article', { name: 'Assistant' })
  }
  get questions(): Locator {
    return this.page.getByRole('article', { name: 'You' })
  }
  /** What the person wrote, without what stands beside it. */
  get questionTexts(): Locator {
    return this.questions.locator('.bubble')
  }
  get lastAnswer(): Locator {
    return this.answers.last()
  }
  get stop(): Locator {
    return this.page.getByRole('button', { name: 'Stop', exact: true })
  }
  get banner(): Locator {
    return this.page.locator('.banner')
  }

  /** The line under the composer says so. */
  async sees(status: 'Ready' | 'Answering…' | 'Not connected'): Promise<void> {
    await this.page.getByRole('status').filter({ hasText: status }).waitFor()
  }

  /** Waits until the last answer holds `text`; gives all of it. */
  async reads(text: string | RegExp): Promise<string> {
    await this.lastAnswer.filter({ hasText: text }).waitFor()
    return await this.lastAnswer.innerText()
  }
}
