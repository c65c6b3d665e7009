import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SignedOutError } from '../../clients/core/credential-source.ts'
import { ticketsFrom } from '../../clients/widget/ticket-source.ts'

const SESSION = 'a2b5a30e-5c5a-4d39-9d83-3a1c54d0c8f1'

let server: Server
let url: string
let answer: { readonly status: number; readonly body: string }
const asked: unknown[] = []

async function note(request: IncomingMessage): Promise<void> {
  asked.push([request.method, request.headers['content-type'], await json(request)])
}

beforeEach(async () => {
  asked.length = 0
  server = createServer((request, response) => {
    void note(request).then(() => response.writeHead(answer.status).end(answer.body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}/chat-ticket`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

describe('the tickets of a widget', () => {
  it('come from the page’s own server, which is told the session', async () => {
    answer = { status: 201, body: '{"ticket":"a.b.c","user":"ann"}' }
    expect(await ticketsFrom(url, SESSION)()).toEqual({ kind: 'ticket', ticket: 'a.b.c' })
    expect(asked).toEqual([['POST', 'application/json', { session: SESSION }]])
  })

  it.each([401, 403])('say that nobody is signed in when it answers %i', async (status) => {
    answer = { status, body: '{"ticket":"a.b.c"}' }
    await expect(ticketsFrom(url, SESSION)()).rejects.toBeInstanceOf(SignedOutError)
  })

  it.each([429, 500, 503])('are worth another try after %i', async (status) => {
    answer = { status, body: '{"ticket":"a.b.c"}' }
    await expect(ticketsFrom(url, SESSION)()).rejects.not.toBeInstanceOf(SignedOutError)
  })

  it.each([
    ['refuses', { status: 401, body: '{"ticket":"a.b.c"}' }, 'no ticket: 401'],
    ['answers something else', { status: 200, body: '{}' }, 'Expected "ticket"'],
    ['answers a page', { status: 200, body: '<!doctype html>' }, 'JSON'],
  ])('are none when it %s', async (_how, given, words) => {
    answer = given
    await expect(ticketsFrom(url, SESSION)()).rejects.toThrow(words)
  })
})
