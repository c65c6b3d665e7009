import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Browser, BrowserContextOptions, Locator } from 'playwright-core'
import type { ParleyProcess } from '../support/parley-process.ts'
import { Visitor } from './visitor.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** Somebody else's site with the widget on its page, and ideas of its own that a test gives it. */
export class Shop {
  readonly #parley: ParleyProcess
  readonly #server: Server
  readonly origin: string
  /** Of the widget's script element, beside its address. */
  attributes = ''
  /** In the page, before the widget's script. */
  html = ''
  headers: Readonly<Record<string, string>> = {}
  /** What it answers to a request for a ticket. */
  onTicket: Answer = (_, response) => void response.writeHead(404).end()

  private constructor(parley: ParleyProcess, server: Server, origin: string) {
    this.#parley = parley
    this.#server = server
    this.origin = origin
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === '/chat-ticket') return this.onTicket(request, response)
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...this.headers }).end(this.#page())
    })
  }

  static async open(parley: ParleyProcess): Promise<Shop> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return new Shop(parley, server, `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`)
  }

  /** Makes the App `helpdesk`, and a key for this site. */
  async putApp(): Promise<void> {
    const file = this.#parley.path('helpdesk.json')
    const app = { id: 'helpdesk', name: 'Help desk', preamble: 'Be brief.', model: { default: 'scripted/demo' } }
    await writeFile(file, JSON.stringify(app))
    await this.#parley.command('apps', 'put', file)
    const scope = ['--app', 'helpdesk', '--kind', 'publishable', '--origin', this.origin]
    const key = await this.#parley.command('keys', 'create', ...scope)
    this.attributes = `data-app="helpdesk" data-key="${key}" data-title="Help"`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  /** The element that puts the widget on the page. */
  script(attributes = this.attributes): string {
    return `<script src="${this.#parley.url}/widget.js" ${attributes}></script>`
  }

  /** Somebody who looks at the page and has not opened the chat. */
  async visitor(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
    return await Visitor.arrive(browser, this.origin, options)
  }

  /** Somebody who has opened the chat. */
  async guest(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = await this.visitor(browser, options)
    await launcher(visitor).click()
    return visitor
  }

  #page(): string {
    return `<!doctype html><html lang="en"><head><title>Shop</title><link rel="icon" href="data:,"></head>
      <body><h1>A shop</h1><input id="search">${this.html}${this.script()}</body></html>`
  }
}

export function launcher(visitor: Visitor): Locator {
  return visitor.page.locator('.launcher')
}

export function panel(visitor: Visitor): Locator {
  return visitor.page.locator('.panel')
}
