import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { UpstreamBody } from '../../src/providers/upstream-exchange.ts'
import { createUpstreamFetch } from '../../src/providers/upstream-fetch.ts'

/** The address of a server that answers so; closed with the test. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => server.closeAllConnections())
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return `http://127.0.0.1:${address.port}/`
}

/** All of it; rejects when it breaks off. */
function textOf(body: UpstreamBody | undefined): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) =>
    body?.read({
      chunk: (bytes) => (text += Buffer.from(bytes).toString()),
      ended: (error) => (error === undefined ? resolve(text) : reject(error)),
    }),
  )
}

test('a success has a body to be read, its status and its headers', async () => {
  const url = await serve((_, response) =>
    response.writeHead(201, { 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] }).end('hello'),
  )
  const { fetch, bodyOf } = await createUpstreamFetch()
  const response = await fetch(url)
  expect([response.status, response.headers.get('x-one'), response.headers.getSetCookie()]).toEqual([
    201,
    '1',
    ['a=1', 'b=2'],
  ])
  expect(await textOf(bodyOf(response))).toBe('hello')
})

test('the method, headers and body are sent as given', async () => {
  const url = await serve(async (request, response) => {
    const sent = Buffer.concat(await request.toArray()).toString()
    response.end(`${request.method} ${String(request.headers['x-key'])} ${sent}`)
  })
  const { fetch, bodyOf } = await createUpstreamFetch()
  const response = await fetch(new Request(url), { method: 'POST', headers: { 'x-key': 'k' }, body: '{}' })
  expect(await textOf(bodyOf(response))).toBe('POST k {}')
})

test('an endless page of an error is read in part, and its request ended (I7)', async () => {
  let closed: Promise<unknown> | undefined
  const url = await serve((_, response) => {
    closed = once(response, 'close')
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(10_000)));
    }
    response.writeHead(502).on('drain', more)
    more()
  })
  const { fetch, bodyOf } = await createUpstreamFetch()
  const response = await fetch(url)
  expect(bodyOf(response)).toBeUndefined()
  const text = await response.text()
  expect(text.length).toBeGreaterThan(60_000)
  expect(text.length).toBeLessThan(400_000)
  await closed
})

test('a status whose response may have no body is still an error', async () => {
  const { fetch } = await createUpstreamFetch()
  const response = await fetch(await serve((_, reply) => reply.writeHead(304).end()))
  expect([response.status, response.ok]).toEqual([304, false])
})

test('an abort before the headers rejects, and after them ends the body', async () => {
  let sent = 0
  const url = await serve((_, response) => {
    sent += 1
    if (sent === 2) response.write('x')
  })
  const { fetch, bodyOf } = await createUpstreamFetch()
  const first = new AbortController()
  const waiting = fetch(url, { signal: first.signal })
  first.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  sent = 1
  const second = new AbortController()
  const body = bodyOf(await fetch(url, { signal: second.signal }))
  second.abort()
  await expect(textOf(body)).rejects.toMatchObject({ name: 'AbortError' })
})

test('a body waits for its reader, stops when it is paused, and ends upstream when it is left', async () => {
  let written = 0
  let closed: Promise<unknown> | undefined
  const url = await serve((_, response) => {
    closed = once(response, 'close')
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(100_000))) written += 100_000
    }
    response.on('drain', more)
    more()
  })
  const { fetch, bodyOf } = await createUpstreamFetch()
  const body = bodyOf(await fetch(url))
  await settled(() => written)
  let read = 0
  const ended = new Promise<unknown>((resolve) => {
    body?.read({
      chunk: ({ length }) => {
        read += length
        body.pause()
      },
      ended: resolve,
    })
  })
  const paused = await settled(() => read)
  expect(paused).toBeGreaterThan(0)
  expect(paused).toBeLessThan(1_000_000)
  body?.resume()
  await expect.poll(() => read).toBeGreaterThan(paused)
  body?.leave()
  expect(await ended).toBeInstanceOf(Error)
  await closed
})

/** A count once it has stood still for a while. */
async function settled(count: () => number): Promise<number> {
  for (let before = -1; before !== count(); await sleep(100)) before = count()
  return count()
}

test('an answer that has been announced comes after the announcement', async () => {
  const url = await serve((_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' })
    response.end('x')
  })
  const { fetch, bodyOf } = await createUpstreamFetch()
  const response = await fetch(url)
  expect([response.status, await textOf(bodyOf(response))]).toEqual([200, 'x'])
})
